"""A whole backup in one process, as the CLI takes it: the same steps that the nightly DAG runs as tasks."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from holdfast.backup.commit import commit_manifest
from holdfast.backup.dump import dump_database
from holdfast.backup.export import clear_export
from holdfast.backup.facts import StepFacts
from holdfast.backup.inventory import demand_inventory, record_inventory
from holdfast.backup.media import discard_snapshot, snapshot_media
from holdfast.backup.opening import open_restore_point
from holdfast.backup.verification import verify_list
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, UsageError
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def run_backup(
    environment: Environment,
    tier: str,
    *,
    label: str | None = None,
    opened_at: datetime | None = None,
    origin: str | None = None,
    is_damaged: bool = False,
    progress: Progress = _SILENT,
) -> StepFacts:
    """Take one restore point, step by step; raises what the steps raise.

    ``opened_at`` (aware) and ``origin`` name it where something else must find it again. ``is_damaged``: what is backed
    up may be what has to be restored, so that it may well be suddenly small, or its media empty.

    What is left of a backup that fails or is interrupted is removed: no second attempt will use it.
    """
    started = time.monotonic()
    _demand_readable(environment)
    demand_inventory(environment)
    id = open_restore_point(
        environment,
        tier=tier,
        opened_at=opened_at or environment.clock(),
        origin=origin or secrets.token_hex(16),
        label=label,
    )
    try:
        if environment.policy.inventory is not None:
            record_inventory(environment, id, progress=progress)
        dump_database(environment, id, progress=progress)
        if environment.policy.media is not None:
            snapshot_media(environment, id, force=is_damaged, progress=progress)
        verify_list(environment, id, accepts_small=is_damaged, progress=progress)
        facts = commit_manifest(environment, id, progress=progress)
    except BaseException as error:
        _remove_remnant(environment, id)
        error.add_note("Nothing of the backup was kept.")
        raise
    return replace(facts, seconds=time.monotonic() - started)


def _demand_readable(environment: Environment) -> None:
    """An identity that does not fit would be found out after the whole dump."""
    identities = environment.identities()
    if identities is not None and not environment.identities_fit(identities):
        raise UsageError(
            f"{environment.title}: keys.identity_file opens nothing that is encrypted to the policy's recipients",
            hint="Correct keys.identity_file or keys.recipients: what nobody can decrypt is not a backup.",
        )


def _remove_remnant(environment: Environment, id: RestorePointId) -> None:
    """Clear an uncommitted restore point; that this fails too must not hide why the backup did."""
    with suppress(HoldfastError):
        entry = environment.catalog.entry(id)
        if not entry.is_committed:
            for stored in entry.objects.values():
                environment.store.delete(stored.key)
            clear_export(environment, id)
            discard_snapshot(environment, id)
