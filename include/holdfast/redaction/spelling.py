"""How one secret may be spelled: plainly, and as URLs, JSON, HTML, shells and Python write its characters."""

from __future__ import annotations

import html
import json
import re
from urllib.parse import quote, quote_plus

MASK = "***"

_ESCAPES = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f"}


def spellings(secret: str) -> tuple[str, ...]:
    """The usual spellings one by one, longest first, for those who can only look for fixed text; none for none."""
    raw = to_bytes(secret)
    forms = {secret, quote(raw, safe=""), quote(raw), quote_plus(raw)}
    forms |= {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]}
    forms |= {html.escape(secret), html.escape(secret, quote=False)}
    return tuple(sorted(forms - {""}, key=len, reverse=True))


def pattern_of(secret: str) -> str:
    """A regular expression for every spelling: each character may be written in a way of its own.

    No two encoders agree on which characters of a URL need a percent sign, and what failed may have been
    encoded twice. So one fixed text for each encoder would never be all of them.
    """
    return "".join(_sign(sign) for sign in secret)


def to_bytes(text: str) -> bytes:
    """The bytes it stands for: what was no UTF-8 has come in as single surrogates."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _sign(sign: str) -> str:
    if sign.isascii() and sign.isalnum():
        return sign
    encoded = to_bytes(sign)
    ways = [
        rf"\\{{0,4}}{re.escape(sign)}",
        "".join(rf"%(?:25)?{_digits(f'{byte:02x}')}" for byte in encoded),
        "".join(rf"\\{{1,4}}u{_digits(unit)}" for unit in _utf16(sign)),
    ]
    if sign in _ESCAPES:
        ways.append(rf"\\{{1,4}}{_ESCAPES[sign]}")
    if not sign.isascii():
        ways.append("".join(rf"\\{{1,4}}x{_digits(f'{byte:02x}')}" for byte in encoded))
    if ord(sign) < 256:
        ways.append(rf"\\{{1,4}}x{_digits(f'{ord(sign):02x}')}")
    if sign == " ":
        ways.append(r"\+")
    if (entity := html.escape(sign)) != sign:
        ways += [entity, f"&#{ord(sign)};"]
    if sign == "'":
        # How a shell's single quotes are left and entered again.
        ways += [r"'\\''", "'\"'\"'", "''"]
    return f"(?:{'|'.join(sorted(set(ways), key=len, reverse=True))})"


def _digits(written: str) -> str:
    """Hexadecimal digits in either case."""
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in written)


def _utf16(sign: str) -> list[str]:
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    return [units[at : at + 4] for at in range(0, len(units), 4)]
