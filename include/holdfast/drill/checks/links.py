"""The link that belongs to a code, and how a wrong one is told without giving the code away."""

from __future__ import annotations

import re
from urllib.parse import quote, quote_plus, urlsplit

_PLACE = "{code}"
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
# In a path they stand for themselves (RFC 3986, pchar).
_PLAIN = "!$&'()*+,;=:@"
# Written as they are, they would end the path, or be read as something else.
_MUST_BE_ESCAPED = re.compile(r"[%?#/\s\\]")


def is_link_of(link: str, template: str, code: str) -> bool:
    """Whether ``link`` is the template with the code in it, percent-encoded in any way that means the same."""
    return _same_escapes(link) in {_same_escapes(template.replace(_PLACE, form)) for form in _forms(template, code)}


def told(link: str, code: str) -> str:
    """A wrong link for people: with {code} where it holds the code, else no more than where it leads."""
    for form in sorted(_forms("", code) | {code}, key=len, reverse=True):
        if form and form in link:
            return _short(link.replace(form, _PLACE))
    try:
        parts = urlsplit(link)
    except ValueError:
        return "no link"
    if not parts.scheme or not parts.netloc:
        return "no link"
    host = parts.netloc.rpartition("@")[2]
    return _short(f"{parts.scheme}://{host}/… without the code")


def _forms(template: str, code: str) -> set[str]:
    forms = {quote(code, safe=""), quote(code, safe=_PLAIN), quote(code)}
    if not _MUST_BE_ESCAPED.search(code):
        forms.add(code)
    if "?" in template.partition(_PLACE)[0]:
        forms.add(quote_plus(code))
    return forms


def _same_escapes(link: str) -> str:
    return _ESCAPE.sub(lambda found: found[0].upper(), link)


def _short(text: str) -> str:
    plain = "".join(sign if sign.isprintable() else "?" for sign in text)
    return plain if len(plain) <= 120 else f"{plain[:119]}…"
