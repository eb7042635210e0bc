"""Make a recovery environment, or find the one that was made: it converges, whatever was killed half way."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from holdfast.errors import DrillError, HoldfastError, PermanentError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect, translated
from holdfast.recovery.orphans import end_all_in
from holdfast.recovery.owner import write_owner
from holdfast.recovery.place import ROOT_VARIABLE, Place, boot_id, host_id
from holdfast.recovery.programs import server_for
from holdfast.recovery.record import Made, read_made, write_made, write_server
from holdfast.recovery.removal import empty, remove_leftovers
from holdfast.recovery.throwaway import throwaway_cluster

_FULL_BYTES = 64 << 20
_RIGHTS = "SELECT rolsuper OR rolcreatedb FROM pg_catalog.pg_roles WHERE rolname = current_user"


def prepare_recovery(
    root: Path,
    name: str,
    *,
    source_major: int,
    database: str,
    server: Target | None = None,
    now: datetime,
    is_owned: bool = False,
    superuser: str | None = None,
) -> list[str]:
    """Make the recovery environment ``name``: a throwaway cluster, or a place on ``server``.

    ``database`` is the source's name, which a throwaway cluster uses too. What was made for the same is kept; what was
    left half made is made anew. One that ``is_owned`` ends with this process: after its death anybody may remove it.
    ``superuser``: the first role of a cluster that a base backup is to bring there: then none is made.
    Leftovers of dead drills are removed first, and their names returned. Raises DrillError where it cannot be made,
    and what ``connect`` raises for a recovery server.
    """
    place = Place.of(root, name)
    removed: list[str] = []
    with suppress(HoldfastError, OSError):  # somebody else's leftovers must not stop this drill
        removed = remove_leftovers(root, now=now)
    try:
        place.make()
        with place.held():
            if _is_made(place, source_major, database, server, superuser):
                place.record.touch()
                return removed
            empty(place)
            if is_owned:
                write_owner(place)
            place.open_up()
            made = _throwaway(place, source_major, database, now, superuser) if server is None else None
            write_made(place, made or _on_server(place, server or Target({}), source_major, now))
    except OSError as error:
        raise unusable(place, error.strerror or str(error)) from error
    return removed


def unusable(place: Place, reason: str) -> DrillError:
    """A recovery environment that cannot be set up or started; the hint tells a full disk from the rest."""
    message = f"recovery environment {place.name}: {reason}"
    with suppress(OSError):
        if shutil.disk_usage(place.root).free < _FULL_BYTES or "No space left" in reason:
            return DrillError(
                f"{message} (the disk of {place.root} is full)",
                hint=f"Make room there, or name a folder on a larger disk in {ROOT_VARIABLE}.",
            )
    return DrillError(message)


def _is_made(
    place: Place, source_major: int, database: str, server: Target | None, superuser: str | None = None
) -> bool:
    made = read_made(place)
    if made is None or made.host != host_id() or made.source_major != source_major or made.superuser != superuser:
        return False
    if server is not None:
        return made.programs is None
    return made.programs is not None and made.database == database and made.boot == boot_id()


def _throwaway(place: Place, source_major: int, database: str, now: datetime, superuser: str | None = None) -> Made:
    begun = time.monotonic()
    programs = server_for(source_major)
    place.make_socket_folder()
    cluster = throwaway_cluster(place, programs)
    try:
        end_all_in((cluster.data, place.folder / "data.new"))
        if superuser is None:
            cluster.initialise()
            place.keep_password()
    except PermanentError as error:
        raise unusable(place, error.message) from error
    return Made(
        host=host_id(),
        boot=boot_id(),
        name=place.name,
        made_at=now,
        source_major=source_major,
        database=database,
        programs=str(programs.folder),
        server_major=programs.major,
        seconds=round(time.monotonic() - begun, 3),
        superuser=superuser,
    )


def _on_server(place: Place, server: Target, source_major: int, now: datetime) -> Made:
    begun = time.monotonic()
    write_server(place, server)
    with connect(server) as session, translated(server, "looking at the recovery server"):
        major = session.info.server_version // 10000
        row = session.execute(_RIGHTS).fetchone()
    if major < source_major:
        raise DrillError(
            f"recovery server {server.describe()}: is of version {major}, older than the source's {source_major}",
            hint=f"Name a recovery server of version {source_major} or newer, or none for a throwaway one.",
        )
    if row is None or not row[0]:
        raise DrillError(
            f"recovery server {server.describe()}: the role may not create databases",
            hint=f'Run there: ALTER ROLE "{server.user}" CREATEDB;',
        )
    return Made(
        host=host_id(),
        boot=boot_id(),
        name=place.name,
        made_at=now,
        source_major=source_major,
        database=place.database_name,
        programs=None,
        server_major=major,
        seconds=round(time.monotonic() - begun, 3),
    )
