"""The way of a recovering server to its target: watched, started anew where need be, and judged where it ends."""

from __future__ import annotations

import re
import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError, RestoreError, TransientError
from holdfast.pitr.feeder import WalFeeder
from holdfast.pitr.reached import Watch, pause, promote, read_point
from holdfast.pitr.running import Running, TargetNotReached, told
from holdfast.pitr.server import ReplayServer
from holdfast.pitr.settings import Configuration
from holdfast.pitr.wal_plan import WalPlan
from holdfast.values.lsn import Lsn

if TYPE_CHECKING:
    from holdfast.pitr.replay import Replay

_LOOK_S = 0.05
_TOO_SMALL = re.compile(
    r"(max_\w+) = \d+ is a lower setting than on the primary server, (?:where its )?value was (\d+)"
)
_SHORT = "recovery ended before configured recovery target was reached"
_STARTS = 6
_PREFETCHING_MAJOR = 15


class Way:
    """The server's runs up to the target: mostly one, more where something has to be changed on the way."""

    def __init__(
        self,
        replay: Replay,
        wal: WalPlan,
        configuration: Configuration,
        feeder: WalFeeder,
        isolation: tuple[str, ...],
        began: float,
        notes: tuple[str, ...],
    ) -> None:
        self._replay, self._wal, self._feeder, self._isolation = replay, wal, feeder, isolation
        self._configuration, self._began, self._notes = configuration, began, notes
        self._target = dict(replay.plan.target.settings())
        self._has_paused = self._is_held_by_us = False
        self._is_prefetching = True
        self.server = ReplayServer(configuration, isolation)

    def through(self) -> Running:
        """Up to the promoted server."""
        for _ in range(_STARTS):
            self._feeder.begin_again()
            self._start()
            if self._has_ended_well():
                break
        else:
            raise RestoreError(f"recovery to {self._replay.plan.target}: {self.server.last_words()}")
        if not self._target:
            self._demand_all_fed()
        running = self._reached()
        self._demand_not_beyond(running)
        self._replay.progress.end(f"promoted {told(running.point)}")
        return running

    def _start(self) -> None:
        is_pausing = self._replay.paused is not None
        follows = is_pausing and not self._target
        signal_file = "standby.signal" if follows else "recovery.signal"
        action = "pause" if is_pausing else "promote"
        prefetching = {} if self._is_prefetching else {"recovery_prefetch": "off"}
        self._configuration.write(self._target | prefetching, action=action)
        destination = self._replay.destination
        for name in ("standby.signal", "recovery.signal"):
            (destination.path / name).unlink(missing_ok=True)
        destination.account.write_secret(destination.path / signal_file, "")
        self.server.start()

    def _has_ended_well(self) -> bool:
        """Wait until it is promoted; False where it has to be started once more."""
        with closing(Watch(self.server.target)) as watch:
            while True:
                if self._feeder.failure is not None and self._may_do_without():
                    return False
                phase = self.server.phase()
                if phase == "gone":
                    self._judge_end()
                    return False
                state = watch.look() if phase == "up" else None
                if state is not None and not state.is_in_recovery:
                    return True
                if state is not None and self._replay.paused is not None:
                    self._look_for_pause(is_paused=state.is_paused)
                if state is not None and state.is_paused and self._raise_limits():
                    return False
                time.sleep(_LOOK_S)

    def _may_do_without(self) -> bool:
        """A server that prefetches asks for WAL that may lie behind the target: then it is tried without."""
        self.server.stop()
        if self._replay.programs.major < _PREFETCHING_MAJOR or not self._is_prefetching:
            self._demand_fed()
        self._is_prefetching = False
        return True

    def _demand_fed(self) -> None:
        failure = self._feeder.failure
        if failure is None:
            return
        message = f"recovery to {self._replay.plan.target}: {failure}"
        if isinstance(failure, HoldfastError):
            raise type(failure)(message, hint=failure.hint) from failure
        raise RestoreError(message) from failure

    def _judge_end(self) -> None:
        """It has ended by itself: go on where that is to be expected, else raise."""
        if self._feeder.failure is not None and self._may_do_without():
            return
        said, plan = self.server.said(), self._replay.plan
        if self._raised(said):
            return
        if _SHORT in said:
            if plan.target.kind in ("time", "lsn") and self._target:
                # Nothing after the target was seen. The window says that there is nothing, so all is there.
                self._target = {}
                return
            raise self._not_reached()
        kind = TransientError if "No space left on device" in said else RestoreError
        raise kind(
            f"recovery to {plan.target}: PostgreSQL: {self.server.last_words()}",
            hint=self._replay.destination.advice(),
        )

    def _raise_limits(self) -> bool:
        """A server whose limits are below the source's new ones waits for somebody to raise them."""
        too_small = self.server
        if not self._is_too_small() or not self._raised(too_small.said()):
            return False
        too_small.stop()
        return True

    def _is_too_small(self) -> bool:
        return "insufficient parameter settings" in self.server.said()

    def _raised(self, said: str) -> bool:
        limits = dict(self._configuration.limits)
        for name, value in _TOO_SMALL.findall(said):
            limits[name] = max(limits.get(name, 0), int(value))
        if limits == self._configuration.limits:
            return False
        self._configuration = replace(self._configuration, limits=limits)
        self.server = ReplayServer(self._configuration, self._isolation)
        return True

    def _demand_all_fed(self) -> None:
        """A record that cannot be read ends the replay as the end of all WAL does."""
        deadline = time.monotonic() + 2.0
        while not self._feeder.has_fed_all:
            if time.monotonic() > deadline:
                raise RestoreError(
                    f"recovery to {self._replay.plan.target}: the replay ended before the WAL that is stored: "
                    f"{self.server.last_words()}",
                    hint=self._replay.destination.advice(),
                )
            time.sleep(0.01)

    def _demand_not_beyond(self, running: Running) -> None:
        """The source may have written on while it was found that nothing followed the target."""
        target, reached = self._replay.plan.target, running.point.time
        advice = f"Run it again. {self._replay.destination.advice()}"
        if target.time is not None and reached is not None and reached > target.time:
            raise TransientError(
                f"recovery to {target}: a commit of {reached.isoformat()} was stored meanwhile", hint=advice
            )
        if target.lsn is None or self._target:
            return
        lsn = Lsn.parse(running.point.lsn)
        if lsn > self._replay.plan.window.end_lsn:
            raise TransientError(f"recovery to {target}: WAL up to {lsn} was stored meanwhile", hint=advice)
        if lsn < target.lsn:
            raise self._not_reached()

    def _not_reached(self) -> TargetNotReached:
        plan = self._replay.plan
        return TargetNotReached(
            f"recovery to {plan.target}: the WAL up to {plan.window.end_lsn} was replayed without reaching it",
            hint="Nothing stands in for another instant: `holdfast pitr window` shows what can be recovered to.",
        )

    def _look_for_pause(self, *, is_paused: bool) -> None:
        """At a target the server pauses by itself. At the end of the WAL it waits for more; there we pause it."""
        assert self._replay.paused is not None
        if not self._target and not self._has_paused and not self._feeder.was_asked_for_more:
            return
        if self._has_paused:
            if self._is_held_by_us and not is_paused:
                self._is_held_by_us = False
                promote(self.server.target)
            return
        if not self._target and not is_paused:
            pause(self.server.target)
            self._is_held_by_us = True
        elif is_paused and not self._is_too_small():
            self._has_paused = True
            running = self._reached()
            self._replay.progress.end(f"paused {told(running.point)}")
            self._replay.paused(running)
            self._replay.progress.begin("paused")

    def _reached(self) -> Running:
        point = read_point(self.server.target, self._wal.history)
        return Running(
            self.server.target(),
            point,
            self.server,
            any("net" in part for part in self._isolation),
            time.monotonic() - self._began,
            self._feeder.fed_bytes,
            self._feeder.waited_seconds,
            self._notes,
        )
