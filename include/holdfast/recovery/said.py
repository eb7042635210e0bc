"""What a command of the application has said, as far as it may be kept: plain lines, without secrets."""

from __future__ import annotations

import re
from collections.abc import Iterable

from holdfast.redaction import redact

_LINES = 60
_LINE_CHARACTERS = 500
# Colours and cursor movements (ECMA-48), titles of terminals, and every other control character.
_CONTROL = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b.|[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def lines_said(text: str, secrets: Iterable[str]) -> tuple[str, ...]:
    """The last lines that are not empty.

    Masked before and after it is made plain: colours may stand inside of a secret, and be part of one.
    """
    values = tuple(secrets)
    plain = _CONTROL.sub("", redact(text, values).replace("\r\n", "\n").replace("\r", "\n"))
    lines = [line.rstrip() for line in redact(plain, values).splitlines()]
    return tuple(line[:_LINE_CHARACTERS] for line in lines if line)[-_LINES:]
