"""Replays WAL onto a base backup up to the target, on a server that is left running there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.environment import Environment
from holdfast.pitr.destination import Destination
from holdfast.pitr.feeder import WalFeeder
from holdfast.pitr.planning import RecoveryPlan
from holdfast.pitr.programs import Programs
from holdfast.pitr.running import Running
from holdfast.pitr.settings import WAL_FOLDER, configuration_for, set_aside
from holdfast.pitr.wal_plan import plan_wal
from holdfast.pitr.way import Way
from holdfast.progress import Progress
from holdfast.recovery.throwaway import isolation_of


@dataclass(slots=True)
class Replay:
    """One replay in ``destination``, where the base backup lies; ``socket`` is the folder of the server's socket.

    With ``paused`` the server stops at the target, readable, and that is called; who resumes replay there promotes it.
    """

    environment: Environment
    plan: RecoveryPlan
    destination: Destination
    programs: Programs
    socket: Path
    progress: Progress
    paused: Callable[[Running], None] | None = None

    @contextmanager
    def running(self) -> Iterator[Running]:
        """Replay, promote, and keep the server running for the block.

        Raises what the feeder found wrong with the WAL, TargetNotReached, or RestoreError with the server's words.
        """
        wal = plan_wal(self.environment, self.plan)
        configuration, notes = configuration_for(self.destination, self.programs, self.plan, self.socket)
        set_aside(self.destination)
        needed = (self.programs.folder.parent, self.destination.path, self.socket)
        isolation = isolation_of(self.destination.account, needed)
        feeder = WalFeeder(
            self.environment, wal, self.destination.path / WAL_FOLDER, self.destination.account, self.progress.advance
        )
        self.progress.begin("replay", wal.expected_bytes(self.plan.target))
        began = time.monotonic()
        with feeder.feeding():
            run = Way(self, wal, configuration, feeder, isolation, began, notes)
            try:
                yield run.through()
            finally:
                run.server.stop()
