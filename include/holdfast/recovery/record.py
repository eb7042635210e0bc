"""What is written down of a recovery environment, so that the next task finds it again."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from holdfast.errors import DrillError
from holdfast.manifest.model import Record
from holdfast.postgres.conninfo import Target
from holdfast.recovery.place import Place


class Made(Record):
    """A finished recovery environment; ``programs`` are those of its throwaway server, None on a recovery server.

    ``boot`` tells one run of the machine from the next, which a cluster without fsync need not survive whole.
    ``superuser``: of a cluster that a base backup brings, who needs no password there; None of one that was made here.
    """

    host: str
    boot: str
    name: str
    made_at: datetime
    source_major: int
    database: str
    programs: str | None
    server_major: int
    seconds: float
    superuser: str | None = None


class ServerAddress(Record):
    """How to reach a recovery server: holds secrets, and is therefore kept where only we read."""

    parameters: dict[str, str]


def read_made(place: Place) -> Made | None:
    """What was made there; None where it never became ready, or is being removed."""
    try:
        return Made.model_validate_json(place.record.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError:
        return None


def write_made(place: Place, made: Made) -> None:
    """The last thing that is written."""
    _write(place.record, made.model_dump_json(indent=2))


def read_server(place: Place) -> Target | None:
    """The recovery server; None for a throwaway one, or where nothing was begun."""
    try:
        return Target(ServerAddress.model_validate_json(place.server.read_bytes()).parameters)
    except FileNotFoundError:
        return None
    except ValidationError:
        # Without the cause: it would show the password.
        fault = DrillError(f"recovery environment {place.name}: {place.server} cannot be read")
    raise fault


def write_server(place: Place, server: Target) -> None:
    """Before anything is done there, so that it can be undone."""
    _write(place.server, ServerAddress(parameters=dict(server.parameters)).model_dump_json())


def _write(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    draft.replace(path)
