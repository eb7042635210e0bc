"""What the audit trail is made of: records that each name the hash of the one before, and anchors that note one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from pydantic import Field, JsonValue

from holdfast.errors import UsageError
from holdfast.manifest.model import Record
from holdfast.values.actor import Via

Action = Literal[
    "triggered",
    "approved",
    "rejected",
    "deleted",
    "held",
    "released",
    "exported",
    "restored",
    "changed",
    "cleared",
    "slot_dropped",
]
"""What people and schedules do; docs/audit.md says of each when it is recorded."""


class AuditRecord(Record):
    """One act. ``previous``: SHA-256 of the stored bytes of the record before, empty in the first.

    ``signed_by`` is the id of the key that signed it, None where the host had none. ``once`` names the act, so that a
    task that runs again does not record it twice. ``run`` is the DAG run. ``details`` holds small facts, no secret.
    """

    format: Literal["holdfast-audit/1"] = "holdfast-audit/1"
    app: str
    environment: str
    number: int = Field(ge=1)
    previous: str
    at: datetime
    action: Action
    who: str
    via: Via
    host: str
    run: str | None
    subject: str
    details: dict[str, JsonValue]
    once: str | None
    signed_by: str | None


@dataclass(frozen=True, slots=True)
class Act:
    """What is to be recorded. ``who``: None where the environment's actor does it.

    ``once``: a name under which the act is recorded but once, looked for in the records since ``since`` (aware), or
    among the newest.
    """

    action: Action
    subject: str
    details: Mapping[str, JsonValue] = field(default_factory=dict)
    who: str | None = None
    via: Via | None = None
    once: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Anchor:
    """A record as somebody noted it: its number, and the SHA-256 of its stored bytes in hexadecimal digits."""

    number: int
    sha256: str

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """Read what ``str`` writes; raises UsageError."""
        found = re.fullmatch(r"([1-9][0-9]{0,9}):([0-9a-f]{64})", text.strip().lower())
        if found is None:
            raise UsageError(
                f"anchor {text[:100]!r}: not of the form NUMBER:SHA256",
                hint="`holdfast audit verify` prints it as it is to be noted.",
            )
        return cls(int(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.number}:{self.sha256}"


def digest(document: bytes) -> str:
    """The SHA-256 of a record's stored bytes, in hexadecimal digits."""
    return hashlib.sha256(document).hexdigest()
