"""Recognises credentials in text, so that an inventory which was given one by accident is refused."""

from __future__ import annotations

import re

from holdfast.inventory.randomness import has_random_token

# All repetitions that may begin anywhere are bounded: no line makes the search last.
_SCHEME = r"[A-Za-z][A-Za-z0-9+.-]{0,30}:/{1,2}"
# A prefix alone may stand in a note ("Stripe's begin with sk_live_"); what follows it makes the credential.
_FORMS = (
    ("a private key", re.compile(r"-----BEGIN [A-Z0-9 ]{3,40}-----|-----BEGIN [A-Z ]*PRIVATE|PuTTY-User-Key-File")),
    ("an age identity", re.compile(r"AGE-(?:SECRET-KEY|PLUGIN-[A-Z0-9]+)-[A-Z0-9]{3,}", re.IGNORECASE)),
    ("a key of Stripe", re.compile(r"(?<![A-Za-z0-9])(?:[spr]k_(?:live|test)|whsec)_[A-Za-z0-9]{4,}")),
    ("an access key of AWS", re.compile(r"(?<![A-Za-z0-9])(?:AKIA|ASIA|AGPA|AIDA|AROA)[A-Z2-7]{6,}(?![a-z])")),
    ("a token of GitHub", re.compile(r"(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_)[A-Za-z0-9_]{4,}")),
    ("a token of GitLab", re.compile(r"(?<![A-Za-z0-9])gl(?:pat|dt|rt|ptt|cbt)-[A-Za-z0-9_-]{4,}")),
    ("a token of Slack", re.compile(r"(?<![A-Za-z0-9])xox[a-z](?:\.[a-z0-9]{3,})?-[A-Za-z0-9-]{4,}|xapp-[0-9]-")),
    ("a key of Google", re.compile(r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{8,}|ya29\.[A-Za-z0-9_-]{4,}|GOCSPX-\w{4,}")),
    ("a key of SendGrid", re.compile(r"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{8,}\.")),
    ("an API key", re.compile(r"(?<![A-Za-z0-9])(?:sk-(?:ant-|proj-)?|key-)[A-Za-z0-9]{16,}")),
    ("an API key", re.compile(r"(?<![A-Za-z0-9])sk-(?:ant-[a-z]{2,5}\d\d|proj|svcacct|or-v\d)-[A-Za-z0-9_-]{3,}")),
    ("a token of Shopify", re.compile(r"(?<![A-Za-z0-9])shp(?:at|ca|pa|ss|tka)_[A-Za-z0-9]{4,}")),
    ("a token of DigitalOcean", re.compile(r"(?<![A-Za-z0-9])do[por]_v\d_[A-Za-z0-9]{4,}")),
    ("a webhook of Slack", re.compile(r"hooks\.slack(?:-gov)?\.com/[a-z]{1,20}/[A-Z0-9][\w/]{7,}")),
    ("a webhook of Discord", re.compile(r"discord(?:app)?\.com/api/(?:v\d{1,3}/)?webhooks/\d{3,}/[\w-]{3,}")),
    ("a webhook of Teams", re.compile(r"webhook\.office\.com/webhookb2/[\w@-]{8,}/")),
    ("a token of Telegram", re.compile(r"(?<![A-Za-z0-9])\d{8,10}:AA[A-Za-z0-9_-]{20,}")),
    ("a token of Vault", re.compile(r"(?<![A-Za-z0-9])hv[sbr]\.[A-Za-z0-9_-]{8,}")),
    ("a token of npm", re.compile(r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{30,}")),
    ("a token of Docker", re.compile(r"(?<![A-Za-z0-9])dckr_(?:pat|oat)_[A-Za-z0-9_-]{4,}")),
    ("a JSON Web Token", re.compile(r"(?<![A-Za-z0-9])ey[JK][A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{4,}")),
    ("a URL with a password", re.compile(_SCHEME + r"[^\s/?#@:]{0,200}:(?!\d{1,5}[/?#])[^\s/@]\S{0,300}@")),
    ("an HTTP authorization", re.compile(r"\b(?:Bearer|Basic)\s+(?![a-z]{12,}\b)[A-Za-z0-9+/=._-]{12}")),
    ("a hashed password", re.compile(r"\$(?:2[abxy]|argon2[a-z]*|[156y]|scrypt)\$\S{4,}|SCRAM-SHA-256\$")),
)
# NAME=value as in an env file; a place-holder such as ${NAME} or <in vault> is no value.
_PLACEHOLDER = r"(?!\$[{(]|<|…|\.\.\.|\*\*\*)"
_NAMED = r"(?<![A-Za-z0-9:/])(?:pass(?:word|wd|phrase|wort)?|pwd|secret|token|(?:api|access)[_ -]?key|credentials?|pin)"
_PAIR = re.compile(rf"(?<![?&\w.-])[A-Z][A-Z0-9_]+\s?=\s?{_PLACEHOLDER}[^\s=]")
_LONGER = r"(?:client_?secret|(?:account|(?:shared)?access|signing|private|encryption)_?key|sharedaccesssignature)"
_ASSIGNED = re.compile(rf"(?:{_NAMED}|(?<![A-Za-z0-9:/]){_LONGER})={_PLACEHOLDER}[^\s=]", re.IGNORECASE)
_TOLD = re.compile(rf"{_NAMED}\s*(?::|\bis\b)\s*[\"'`]?{_PLACEHOLDER}(?P<value>[^\s\"'`,;]{{6,}})", re.IGNORECASE)
# On a command line; a shell's variable, and nothing but words, are no value.
_SHELL_VALUE = r"[\"']?(?![\"'$<(…-]|[a-z./-]+:\d|\.\.\.|\*\*\*)(?P<value>[^\s\"'`]{4,})"
_COMMANDS = (
    re.compile(rf"\b(?:PGPASSWORD|MYSQL_PWD|REDISCLI_AUTH|SSHPASS|AWS_SECRET_ACCESS_KEY)\s{{1,9}}{_SHELL_VALUE}"),
    re.compile(rf"(?<![\w-])--(?:password|passwd|passphrase|secret|token|api-key)\s{{1,9}}{_SHELL_VALUE}"),
    re.compile(rf"\bsshpass\s{{1,9}}-p\s{{0,9}}{_SHELL_VALUE}"),
    re.compile(rf"\bredis-cli\s(?:[^\n]{{0,99}}\s)?-a\s{{1,9}}{_SHELL_VALUE}"),
    re.compile(rf"\b(?:mysql|mariadb)[a-z-]{{0,20}}\s(?:[^\n]{{0,99}}\s)?-p{_SHELL_VALUE}"),
)
_LOGIN = re.compile(
    r"\b(?:curl|https?|wget)\s(?:[^\n]{0,99}\s)?(?:-u|-a|--user|--auth)[ =]{0,9}[\"']?"
    rf"(?![\"'$<])[^\s:\"'`/]{{1,99}}:{_PLACEHOLDER}(?!\$)[^\s\"'`]"
)
_WORD = re.compile(r"[A-Za-z]+(?:['/.-][A-Za-z]+)*[.!?)]*")
# AWS appends six random characters to the names of its secrets.
_ARN_ENDING = re.compile(r"(arn:[a-z-]{1,20}:secretsmanager:\S{0,600}?)-[A-Za-z0-9]{6}(?![A-Za-z0-9])")


def credential_in(text: str) -> str | None:
    """What kind of credential stands in ``text``, such as "a private key"; None where nothing looks like one.

    Names, paths, host names, e-mail addresses, ARNs and URLs without a login are none. The answer never
    repeats the text.
    """
    for kind, form in _FORMS:
        if form.search(text):
            return kind
    if _PAIR.search(text) or _ASSIGNED.search(text) or any(_is_told(found) for found in _TOLD.finditer(text)):
        return "a name with its value"
    if _LOGIN.search(text) or any(_is_told(found) for form in _COMMANDS for found in form.finditer(text)):
        return "a command line with a password"
    if has_random_token(_ARN_ENDING.sub(r"\1", text)):
        return "a generated token"
    return None


def _is_told(found: re.Match[str]) -> bool:
    """Whether "password: …" goes on with a value, and not with words or a place, as "password: kv/shop" does."""
    value = found["value"]
    return not (_WORD.fullmatch(value) or "/" in value or value.startswith("arn:"))
