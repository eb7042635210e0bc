"""What every step of a drill works with, and how what it raises becomes a finding."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from holdfast.drill.outcome import Outcome, blames_backup, blames_drill
from holdfast.drill.records import DrillOpen, StepDraft, read_open, write_step
from holdfast.environment import Environment
from holdfast.errors import (
    DecryptError,
    HoldfastError,
    IntegrityError,
    ObjectMissing,
    RestoreError,
    SignatureError,
    TransientError,
)
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.manifest.evidence import Finding, Step, Surroundings, TableRows
from holdfast.manifest.model import Manifest
from holdfast.manifest.pitr import Replayed
from holdfast.policy.drill import Drill
from holdfast.progress import Progress
from holdfast.recovery import Recovery, opened_recovery, recovery_root
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import MANIFEST

_OF_THE_BACKUP = (DecryptError, IntegrityError, ObjectMissing, RestoreError, SignatureError)
_FULL_BYTES = 16 << 20


@dataclass(frozen=True, slots=True)
class Work:
    """What a step's work hands back."""

    outcome: Outcome
    tables: tuple[TableRows, ...] = ()
    surroundings: Surroundings | None = None
    replayed: Replayed | None = None


class Scene:
    """One drill at work: its recovery environment is opened when a step first needs it, and kept until the end."""

    def __init__(self, environment: Environment, drill: RestorePointId, *, is_whole: bool = False) -> None:
        self.environment = environment
        self.drill = drill
        self.is_whole = is_whole  # all steps are taken in this process
        self._opened = ExitStack()

    @cached_property
    def opened(self) -> DrillOpen:
        """How the drill was opened."""
        return read_open(self.environment, self.drill)

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest of the restore point that is tried."""
        return self.environment.catalog.manifest(self.opened.point, self.environment.verifier())

    @cached_property
    def base(self) -> BaseBackupManifest:
        """The manifest of the base backup that a recovery to an instant begins with."""
        return self.environment.base_catalog.manifest(self.opened.point, self.environment.verifier())

    @cached_property
    def recovery(self) -> Recovery:
        """The recovery environment; its server runs from now on."""
        return self._opened.enter_context(opened_recovery(self.root, self.name))

    @property
    def root(self) -> Path:
        """The folder of all recovery environments of this host."""
        return recovery_root()

    @property
    def name(self) -> str:
        """The recovery environment's name on this host."""
        return recovery_name(self.environment, self.drill)

    @property
    def rules(self) -> Drill:
        """The policy's section for drills, or its defaults."""
        return self.environment.policy.drill or Drill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()

    def take(self, name: str, title: str, work: Callable[[Scene, Progress], Work], progress: Progress) -> Step:
        """Do a step's work, and leave what came of it in the store.

        What speaks against the backup or the drill's surroundings is a finding. Raises TransientError where a task may
        be tried again, and whatever is none of Holdfast's errors.
        """
        started_at = self.environment.clock()
        done = self._done(work, progress)
        seconds = (self.environment.clock() - started_at).total_seconds()
        step = Step(
            name=name,
            title=title,
            started_at=started_at,
            seconds=round(max(0.0, seconds), 3),
            outcome="passed" if done.outcome.passed else "failed",
            findings=done.outcome.findings,
            notes=done.outcome.notes,
            facts=dict(done.outcome.facts),
        )
        draft = StepDraft(
            drill=str(self.drill),
            step=step,
            tables=done.tables,
            surroundings=done.surroundings,
            replayed=done.replayed,
        )
        write_step(self.environment, self.drill, draft)
        return step

    def _done(self, work: Callable[[Scene, Progress], Work], progress: Progress) -> Work:
        try:
            return work(self, progress)
        except TransientError as error:
            if self._is_full():
                finding = blames_drill(f"the disk of {self.root} is full: {error.message}")
            elif self.is_whole:
                finding = blames_drill(f"{error.message} (another attempt may fare better)")
            else:
                raise
        except HoldfastError as error:
            finding = self._finding(error)
        return Work(Outcome((finding,)))

    def _finding(self, error: HoldfastError) -> Finding:
        if self._has_expired():
            what = "restore point" if self.opened.pitr is None else "base backup"
            return blames_drill(
                f"{what} {self.opened.restore_point} was deleted while it was restored: choose a newer one"
            )
        text = f"{error.message}. {error.hint}" if error.hint else error.message
        if isinstance(error, _OF_THE_BACKUP) and not self._is_full():
            return blames_backup(text)
        return blames_drill(text)

    def _has_expired(self) -> bool:
        """Is the manifest gone, which is the first thing that expiry removes?"""
        keys, point = self.environment.keys, self.opened.point
        key = keys.manifest(point) if self.opened.pitr is None else keys.base_backup(point, MANIFEST)
        try:
            self.environment.store.head(key)
        except ObjectMissing:
            return True
        except HoldfastError:
            return False
        return False

    def _is_full(self) -> bool:
        try:
            return shutil.disk_usage(self.root).free < _FULL_BYTES
        except OSError:
            return False


def recovery_name(environment: Environment, whose: RestorePointId | str) -> str:
    """One host may serve several apps, whose drills may bear the same id."""
    return f"{environment.app}.{environment.name}.{whose}"
