"""What a command of the application has said, as far as it may be kept: plain lines, without secrets."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from holdfast.process.redaction import redact

_LINES = 60
_LINE_CHARACTERS = 500
_SECRET_LINE_CHARACTERS = 8
# Colours and cursor movements (ECMA-48), titles of terminals, and every other control character.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def lines_said(text: str, secrets: Iterable[str]) -> tuple[str, ...]:
    """The last lines that are not empty.

    Masked before and after it is made plain: colours may stand inside of a secret, and be part of one.
    """
    forms = _maskable(secrets)
    plain = _CONTROL.sub("", redact(text, forms).replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line.rstrip() for line in redact(plain, forms).splitlines()]
    return tuple(line[:_LINE_CHARACTERS] for line in lines if line)[-_LINES:]


def _maskable(secrets: Iterable[str]) -> set[str]:
    """Secrets as they may be printed: as they are, as JSON spells them, and each line of those that have several."""
    forms = set()
    for secret in secrets:
        lines = [line.strip() for line in secret.splitlines()]
        forms |= {secret, secret.strip(), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
        forms |= {line for line in lines if len(line) >= _SECRET_LINE_CHARACTERS}
    return forms - {""}
