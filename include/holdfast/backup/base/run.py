"""A whole base backup in one process, as the CLI takes it: the same steps that the DAG runs as tasks."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from holdfast.backup.base.commit import commit_base_backup
from holdfast.backup.base.facts import BaseBackupFacts
from holdfast.backup.base.storing import TIER, clear, store_base_backup
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def take_base_backup(
    environment: Environment,
    *,
    full: bool = False,
    opened_at: datetime | None = None,
    origin: str | None = None,
    progress: Progress = _SILENT,
) -> BaseBackupFacts:
    """Take one base backup, stored and committed; raises what the steps raise.

    What is left of one that fails or is interrupted is removed: no second attempt will use it.
    """
    started = time.monotonic()
    opened_at, origin = opened_at or environment.clock(), origin or secrets.token_hex(16)
    try:
        id = store_base_backup(environment, opened_at=opened_at, origin=origin, full=full, progress=progress)
        facts = commit_base_backup(environment, id, progress=progress)
    except BaseException as error:
        _remove_remnant(environment, RestorePointId.make(opened_at, TIER, origin))
        error.add_note("Nothing of the base backup was kept.")
        raise
    return replace(facts, seconds=time.monotonic() - started)


def _remove_remnant(environment: Environment, id: RestorePointId) -> None:
    """Clear an uncommitted base backup; that this fails too must not hide why the backup did."""
    with suppress(HoldfastError):
        entry = environment.base_catalog.entry(id)
        if not entry.is_committed:
            clear(environment, entry)
