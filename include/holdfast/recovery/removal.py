"""Take a recovery environment away with all that it has, whole or half made; find those that dead drills left."""

from __future__ import annotations

import errno
import os
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from psycopg import sql

from holdfast.errors import DrillError, HoldfastError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect, translated
from holdfast.recovery.clearing import remove_tree
from holdfast.recovery.orphans import end_all_in
from holdfast.recovery.owner import OWNER, has_lost_owner
from holdfast.recovery.place import Place, is_name
from holdfast.recovery.record import read_server

_PATIENCE_S = 10.0


def remove_recovery(root: Path, name: str) -> bool:
    """Remove it: servers end, the database on a recovery server is dropped, the folder goes. Was there anything?

    Raises DrillError while another process uses it, and what ``connect`` raises for a recovery server.
    """
    place = Place.of(root, name)
    if not place.folder.exists():
        return False
    with place.held():
        _remove(place)
    return True


def remove_leftovers(root: Path, *, now: datetime, older_than: timedelta = timedelta(hours=6)) -> list[str]:
    """Remove environments that no process holds and nobody opened for ``older_than``; returns their names.

    One whose owner has died goes at once, one whose owner lives never. One that cannot be removed now is left for the
    next time.
    """
    removed = []
    for folder in sorted(root.iterdir()) if root.is_dir() else []:
        if not is_name(folder.name) or folder.is_symlink() or not folder.is_dir():
            continue
        place = Place.of(root, folder.name)
        with suppress(HoldfastError, OSError):
            lost_owner = has_lost_owner(place)
            is_young = now.timestamp() - place.last_use() < older_than.total_seconds()
            if is_young if lost_owner is None else not lost_owner:
                continue
            with place.held(patience_s=0):
                _remove(place)
            removed.append(folder.name)
    return removed


def drop_database(server: Target, name: str) -> None:
    """Drop it with all sessions in it, if it is there; ``server`` leads to another database of the same server."""
    with connect(server) as session, translated(server, f"dropping the database {name}"):
        session.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def empty(place: Place) -> None:
    """Bring the folder back to nothing, in an order in which no half of it can look whole."""
    place.record.unlink(missing_ok=True)
    end_all_in((place.folder / "data", place.folder / "data.new"))
    server = read_server(place)
    if server is not None:
        drop_database(server, place.database_name)
    # The owner goes last: by it a removal that is killed is known to be nobody's any more.
    for entry in sorted(place.folder.iterdir(), key=lambda entry: entry.name == OWNER):
        remove_tree(entry)
    if place.far_socket.is_dir() and not place.far_socket.is_symlink() and _is_ours(place):
        remove_tree(place.far_socket)


def _remove(place: Place) -> None:
    """The commands of a process that was killed may still write while they are ended, which takes seconds."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            empty(place)
            place.folder.rmdir()
        except OSError as error:
            if error.errno == errno.ENOTEMPTY and time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            raise DrillError(
                f"recovery environment {place.name}: cannot be removed: {error.filename}: {error.strerror}",
                hint=f"Remove {place.folder} by hand: it holds decrypted data.",
            ) from error
        return


def _is_ours(place: Place) -> bool:
    return place.far_socket.lstat().st_uid in (os.geteuid(), place.account.uid)
