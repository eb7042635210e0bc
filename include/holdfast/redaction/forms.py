"""What shows by its form that it is a secret: passwords in URLs and settings, tokens, private keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from holdfast.redaction.spelling import MASK

_WORDS = (
    r"password|passwd|passphrase|pwd|secret|token|api[_-]?key|credentials"
    r"|(?:access|secret|private|encryption|signing|fernet|master|account|service|storage|session|webhook)[_-]?key"
    r"|secret[_-]key[_-]base|signature"
)
_HINTS: tuple[str, ...] = ("passw", "passp", "pwd", "secret", "token", "credentials", "signature", "_key", "-key")
_HINTS += ("apikey", "eskey", "accountkey", "masterkey", "encryptionkey", "signingkey", "privatekey", "sessionkey")
_TOKENS: tuple[str, ...] = ("ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "aiza")
_TOKENS += ("k_live_", "k_test_", "whsec_", "sg.")
# Placeholders of our own hints, of documentation and of templates stay readable.
_PLACEHOLDER = re.compile(
    r"(?:\*\*\*|…|\.\.\.|null|none|true|false|password|passwd|secret|key|token)?"
    r"|\$\{[^}]*\}|\$\w+|<[^>]*>|\{\w*\}|%s|%\(\w+\)s",
    re.IGNORECASE,
)
_Replaced = str | Callable[[re.Match[str]], str]


@dataclass(frozen=True, slots=True)
class _Form:
    """A form is looked for only in text that has one of its ``marks``, which are in lower case."""

    marks: tuple[str, ...]
    pattern: re.Pattern[str]
    replaced: _Replaced


def hide_forms(text: str) -> str:
    """``text`` with everything masked that has the form of a secret."""
    lowered = text.lower()
    for mark in _MARKS:
        if mark in lowered:
            return _without(text, lowered)
    return text


def _without(text: str, lowered: str) -> str:
    for form in _FORMS:
        if any(mark in lowered for mark in form.marks):
            text = form.pattern.sub(form.replaced, text)
    return text


def _value(found: re.Match[str]) -> str:
    """A setting with its value masked; quotes stay, so that JSON remains JSON."""
    quotes, quoted, bare = found["quotes"] or "", found["quoted"], found["bare"]
    value = quoted if quotes else bare
    if _PLACEHOLDER.fullmatch(value) or (found["name"].lower() == "pwd" and value.startswith("/")):
        return found[0]
    return f"{found['head']}{quotes}{MASK}{quotes}"


def _userinfo(found: re.Match[str]) -> str:
    return found[0] if _PLACEHOLDER.fullmatch(found[2]) else f"{found[1]}:{MASK}@"


def _form(marks: tuple[str, ...], pattern: str, replaced: _Replaced, flags: int = re.IGNORECASE) -> _Form:
    return _Form(marks, re.compile(pattern, flags), replaced)


_FORMS = (
    # A raw @, / or : in a password is still part of it: up to the last @. What starts as a port does is none.
    _form(
        ("://",),
        r"(://[^\s:/@\"'<>\\]{0,256}):(?!\d{1,5}(?:[/?#,\s]|$))([^\s\"'<>]{1,1024})@",
        _userinfo,
    ),
    _form(
        _HINTS,
        rf"(?P<head>(?P<name>{_WORDS})(?:[\\\"']{{0,4}}\s{{0,3}}(?::=|=>|=)\s{{0,3}}|\\{{0,3}}[\"']\s{{0,3}}:\s{{0,3}}))"
        r"(?:(?P<quotes>\\{0,3}[\"'])(?P<quoted>(?:(?!(?P=quotes))(?:\\.|[^\\\r\n])){1,4096})(?P=quotes)"
        r"|(?P<bare>\$\{[^\s}]{1,256}\}|[^\s,;&\"'()\[\]{}\\]{1,4096}))",
        _value,
    ),
    _form(
        _HINTS,
        r"(?P<head>(?P<name>PASSWORD|PASSWD|SECRET|TOKEN)_(?!FILE|PATH|URL|ID\b)[A-Z0-9_]{1,40}=)"
        r"(?:(?P<quotes>[\"'])(?P<quoted>[^\r\n]{1,4096}?)(?P=quotes)|(?P<bare>[^\s,;&\"'\\]{1,4096}))",
        _value,
        0,
    ),
    # With a colon alone, as YAML has it, prose looks alike: a value is one word, with more in it than small letters.
    _form(
        _HINTS,
        rf"(?P<head>(?:\b|_)(?P<name>{_WORDS}):[ \t]+)(?P<quotes>)(?P<quoted>)"
        r"(?P<bare>(?=[^\s]*[^a-z\s.,;:!?'\")-])[^\s\"']{3,4096})(?=[ \t]*$)",
        _value,
        re.IGNORECASE | re.MULTILINE,
    ),
    _form(("sig=",), r"([?&]sig=)[^&\s\"'<>]{8,}", rf"\g<1>{MASK}"),
    _form(
        ("authorization",),
        r"(authorization[\\\"']{0,4}\s{0,2}[:=]\s{0,2}[\\\"']{0,4})"
        r"(?:(?:basic|bearer|token|digest|negotiate|aws4-hmac-sha256|sharedkey|apikey)\s[^\r\n\"'\\]{1,4096}"
        r"|(?=\S*\d)[^\s\"',\\]{16,4096})",
        rf"\g<1>{MASK}",
    ),
    _form(("bearer", "basic"), r"\b(bearer|basic)\s+(?=\S*[0-9=])[a-z0-9._~+/=-]{8,}", rf"\g<1> {MASK}"),
    _form(("cookie:",), r"((?:set-)?cookie:\s*)[^\r\n\"']{4,4096}", rf"\g<1>{MASK}"),
    _form(("age-secret-key-",), r"age-secret-key-(?:pq-)?1[0-9a-z]{16,}", MASK),
    _form(
        ("private key-----",),
        r"-----begin ([a-z0-9 ]{0,40})private key-----.*?(?:-----end \1private key-----|\Z)",
        MASK,
        re.IGNORECASE | re.DOTALL,
    ),
    _form(("eyj",), r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?", MASK, 0),
    _form(("akia", "asia"), r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b", MASK, 0),
    _form(
        _TOKENS,
        r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}"
        r"|[sr]k_(?:live|test)_\w{10,}|whsec_\w{16,}|SG\.[\w-]{16,}\.[\w-]{16,}|AIza[\w-]{30,})",
        MASK,
        0,
    ),
    _form(
        ("hooks.slack.com/", "/api/webhooks/", "api.telegram.org/bot"),
        r"(hooks\.slack\.com/\w{1,20}/|/api/webhooks/|api\.telegram\.org/bot)[^\s\"'<>]{8,}",
        rf"\g<1>{MASK}",
    ),
)


def _fewest(marks: set[str]) -> tuple[str, ...]:
    """Without those that contain another: every line that is printed is searched for all of them."""
    return tuple(sorted(mark for mark in marks if not any(other in mark for other in marks - {mark})))


_MARKS = _fewest({mark for form in _FORMS for mark in form.marks})
