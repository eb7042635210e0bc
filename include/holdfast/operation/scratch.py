"""A throwaway server for a moment: what is looked up in a restore point is restored there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from holdfast.drill.scene import recovery_name
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.postgres.binaries import major_of
from holdfast.recovery import Recovery, opened_recovery, prepare_recovery, recovery_root, remove_recovery
from holdfast.values.ids import RestorePointId


@contextmanager
def scratch(environment: Environment, point: RestorePointId, name: str) -> Iterator[Recovery]:
    """A recovery environment for ``point``, called ``name`` (such as an operation's id), that this process owns.

    Its database does not exist yet; the roles that the restore point names do. Raises DrillError where it cannot be
    made, and what reading the manifest raises.
    """
    source = environment.catalog.manifest(point, environment.verifier()).database.source
    root, place = recovery_root(), recovery_name(environment, name)
    prepare_recovery(
        root,
        place,
        source_major=major_of(source.server_version),
        database=source.database,
        now=environment.clock(),
        is_owned=True,
    )
    try:
        with opened_recovery(root, place) as recovery:
            recovery.reset_database()
            recovery.ensure_roles(source.roles)
            yield recovery
    except BaseException:
        with suppress(HoldfastError):  # why it ended comes first
            remove_recovery(root, place)
        raise
    remove_recovery(root, place)
