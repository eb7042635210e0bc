"""A recovered server that runs: promoted at the target, on a socket alone, isolated, gone when the block ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from holdfast.environment import Environment
from holdfast.pitr.destination import opened_destination
from holdfast.pitr.planning import RecoveryPlan
from holdfast.pitr.programs import programs_for
from holdfast.pitr.recovering import recovered
from holdfast.pitr.report import Recovered
from holdfast.postgres.conninfo import Target
from holdfast.progress import Progress, Silent
from holdfast.recovery.account import Account, recovery_account

_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class ReplayedServer:
    """A promoted server: ``target`` leads to its database postgres as superuser, without a password.

    ``is_cut_off``: it has no network. ``programs`` is the folder of the programs of its version (pg_amcheck, …).
    """

    target: Target
    recovered: Recovered
    data: Path
    socket: Path
    log: Path
    programs: Path
    is_cut_off: bool
    plan: RecoveryPlan = field(repr=False)


@contextmanager
def replayed_server(
    environment: Environment,
    plan: RecoveryPlan,
    data_dir: Path,
    *,
    account: Account | None = None,
    socket: Path | None = None,
    progress: Progress = _SILENT,
) -> Iterator[ReplayedServer]:
    """Recover into ``data_dir`` (empty, or not there yet), promote, and keep the server running for the block.

    ``account``: whom the server runs as where we are root (default: recovery_account()). ``socket``: the folder of its
    socket, one of that account's (default: a private one). When the block ends, or this process dies, the server
    ends; the data directory stays, marked as unfinished, for the caller to remove.
    Raises as ``recover`` does: RestoreError, IntegrityError, DrillError where the server programs lack.
    """
    programs = programs_for(plan.major, with_combine=bool(plan.chain))
    with (
        opened_destination(environment, data_dir, account=account or recovery_account()) as destination,
        recovered(environment, plan, destination, programs, None, progress, socket) as (running, result),
    ):
        yield ReplayedServer(
            target=running.target,
            recovered=result,
            data=destination.path,
            socket=Path(running.target.host),
            log=running.server.log,
            programs=programs.folder,
            is_cut_off=running.is_cut_off,
            plan=plan,
        )
