"""Recovers a cluster to a target, into a data directory that is ready to be started."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from holdfast.environment import Environment
from holdfast.pitr.base import BasePlacing
from holdfast.pitr.destination import Destination, opened_destination
from holdfast.pitr.finishing import finish
from holdfast.pitr.planning import RecoveryPlan
from holdfast.pitr.programs import Programs, programs_for
from holdfast.pitr.reached import connect_to_any
from holdfast.pitr.replay import Replay
from holdfast.pitr.report import Recovered
from holdfast.pitr.running import Running, TargetNotReached
from holdfast.pitr.sockets import socket_folder
from holdfast.progress import Progress, Silent

_SILENT = Silent()

Hook = Callable[[Running], None]
"""Is given a server that stands at the target."""


def recover(
    environment: Environment,
    plan: RecoveryPlan,
    data_dir: Path,
    *,
    pause: bool = False,
    paused: Hook | None = None,
    promoted: Hook | None = None,
    progress: Progress = _SILENT,
) -> Recovered:
    """Recover into ``data_dir``, which is new or empty: in the end a cluster at the target, promoted and shut down.

    With ``pause`` its server stays up at the target, read-only, ``paused`` is called with it, and only when somebody
    has run ``SELECT pg_wal_replay_resume()`` in it does the recovery go on. ``promoted`` is called before it is shut
    down. Nothing of it runs when this returns or raises; what is left of a failure is marked as unfinished.

    Raises UsageError for a directory that is not free, PermanentError without the server programs of the source's
    version, IntegrityError or DecryptError naming the object for what is damaged, RestoreError where PostgreSQL
    finds fault, TransientError for a full disk or a store that does not answer.
    """
    began = time.monotonic()
    programs = programs_for(plan.major, with_combine=bool(plan.chain))
    with opened_destination(environment, data_dir) as destination:
        try:
            hook = (paused or _nothing) if pause else None
            with recovered(environment, plan, destination, programs, hook, progress) as (running, result):
                (promoted or _nothing)(running)
                _checkpoint(running)
            notes = finish(destination, programs, plan, progress)
        except KeyboardInterrupt as error:
            error.add_note(destination.advice())
            raise
    return replace(result, seconds=time.monotonic() - began, notes=(*result.notes, *notes))


@contextmanager
def recovered(
    environment: Environment,
    plan: RecoveryPlan,
    destination: Destination,
    programs: Programs,
    paused: Hook | None,
    progress: Progress,
    socket: Path | None = None,
) -> Iterator[tuple[Running, Recovered]]:
    """A promoted server in ``destination`` that runs for the block.

    Where a name does not lie behind the plan's base backup, the plan's others are tried.
    """
    began = time.monotonic()
    candidates = (plan, *plan.others)
    with ExitStack() as stack:
        for candidate in candidates:
            begun = time.monotonic()
            BasePlacing(environment, candidate, destination, programs, progress).place()
            placed = time.monotonic() - begun
            folder = stack.enter_context(socket_folder(destination, socket))
            replay = Replay(environment, candidate, destination, programs, folder, progress, paused)
            try:
                running = stack.enter_context(replay.running())
                break
            except TargetNotReached as error:
                if candidate is candidates[-1]:
                    raise
                progress.end(error.message)
                destination.empty()
        yield running, _result(candidate, running, time.monotonic() - began, placed)


def _result(plan: RecoveryPlan, running: Running, seconds: float, placed: float) -> Recovered:
    point = running.point
    return Recovered(
        reached_time=point.time,
        reached_lsn=point.lsn,
        timeline=point.timeline,
        base_backup=plan.base.id,
        seconds=seconds,
        base_seconds=placed,
        replay_seconds=running.replay_seconds,
        wal_bytes=running.wal_bytes,
        waited_seconds=running.waited_seconds,
        marker=point.marker,
        notes=(*plan.notes, *running.notes),
    )


def _checkpoint(running: Running) -> None:
    """Most of the writing, before the time that a shutdown may take begins."""
    with connect_to_any(running.server.target) as session:
        session.execute("CHECKPOINT")


def _nothing(running: Running) -> None:
    pass
