"""Makes a recovered data directory one that anybody can start: nothing of ours in it, all of it on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from holdfast.errors import RestoreError
from holdfast.pitr.destination import Destination
from holdfast.pitr.planning import RecoveryPlan
from holdfast.pitr.programs import Programs
from holdfast.pitr.settings import control_data, put_back, quoted, told_setting
from holdfast.pitr.syncing import sync
from holdfast.progress import Progress

# What base backup and replay leave that says nothing true of the cluster any more.
_TRACES = ("backup_label.old", "tablespace_map.old", "backup_manifest", "postmaster.opts")
_HBA = (
    "# As initdb would have it; only local logins, with the password that the role has.\nlocal all all scram-sha-256\n"
)


def finish(destination: Destination, programs: Programs, plan: RecoveryPlan, progress: Progress) -> tuple[str, ...]:
    """After a clean shutdown; returns notes for whoever will start it. Raises RestoreError where it is not clean."""
    progress.begin("finish")
    state = control_data(destination, programs).get("Database cluster state")
    if state != "shut down":
        raise RestoreError(
            f"data directory {destination.path}: the server did not shut down cleanly, it is {state}",
            hint=destination.advice(),
        )
    put_back(destination)
    for name in _TRACES:
        (destination.path / name).unlink(missing_ok=True)
    notes = (*_completed(destination, plan), *_prepared(destination, programs), *_warnings(destination, programs))
    shutil.rmtree(destination.work)
    sync(destination, programs)
    destination.release()
    progress.end(str(destination.path))
    return notes


def _completed(destination: Destination, plan: RecoveryPlan) -> Iterator[str]:
    """Where the source keeps its configuration elsewhere, as Debian does, there is none in a base backup."""
    settings = "".join(f"{name} = {value}\n" for name, value in sorted(plan.base.settings.items()))
    texts = {
        "postgresql.conf": f"listen_addresses = {quoted('')}\n{settings}",
        "pg_hba.conf": _HBA,
        "pg_ident.conf": "",
    }
    made = [name for name in texts if not (destination.path / name).exists()]
    for name in made:
        destination.account.write_secret(destination.path / name, texts[name])
    if made:
        yield (
            f"the source keeps {', '.join(made)} elsewhere: minimal ones were written, which listen on no network "
            "and let in local roles by password alone; put the source's in their place"
        )


def _prepared(destination: Destination, programs: Programs) -> Iterator[str]:
    """They hold locks until somebody decides, and a server that allows fewer of them does not start."""
    count = sum(1 for _ in (destination.path / "pg_twophase").iterdir())
    if not count:
        return
    allowed = told_setting(destination, programs, "max_prepared_transactions")
    short = (
        f"; it starts with max_prepared_transactions = {count} or more, its own configuration says {allowed}"
        if allowed is not None and int(allowed) < count
        else ""
    )
    yield f"prepared transactions wait for COMMIT PREPARED or ROLLBACK PREPARED: {count}, in pg_prepared_xacts{short}"


def _warnings(destination: Destination, programs: Programs) -> Iterator[str]:
    mode = told_setting(destination, programs, "archive_mode")
    if mode is None:
        yield "its own configuration cannot be read here: see that it names no folder or library that is not there"
        return
    names = ("archive_command", "archive_library") if mode != "off" else ()
    archiving = [name for name in names if told_setting(destination, programs, name) not in (None, "", "(disabled)")]
    if archiving:
        yield (
            f"its own configuration archives WAL ({archiving[0]}): before you start it beside the source, set "
            "archive_mode = off, or both write into one archive"
        )
    elsewhere = told_setting(destination, programs, "data_directory")
    if elsewhere not in (None, "", str(destination.path)):
        yield f"its own configuration names another data directory, {elsewhere}: change data_directory"
    closed = destination.account.closed_folder(destination.path.parent) if destination.account.name else None
    if closed is not None:
        yield f"{closed} is closed to the user {destination.account.name}, who is to start it: open it, or move it"
