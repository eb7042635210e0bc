"""What one DAG run did, as its page asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from holdfast_airflow import operators
from holdfast_airflow.ui.loose import Loose

_COMMITS = operators.ManifestOperator.__name__
_DRILLS = operators.EvidenceOperator.__name__
_DATABASE_STEPS = frozenset({"DumpOperator", "VerifyListOperator", _COMMITS})
_OPERATES = "OperationEvidenceOperator"
_CHANGES_LIVE = frozenset(
    {
        "ApplyOperator",
        "FollowUpOperator",
        "MigrateOperator",
        "SwitchBackOperator",
        "SwitchMediaBackOperator",
        "SwitchMediaOperator",
        "SwitchOperator",
    }
)
_GATES = frozenset({"DrillApprovalSensor", "OperationApprovalSensor"})


@dataclass(frozen=True, slots=True)
class Step:
    """One task of the run: its state, its tries and wall seconds, and what it returned."""

    task_id: str
    operator: str
    state: str | None
    tries: int
    lasted_s: float | None
    facts: Loose = field(default_factory=Loose)

    @property
    def worked_s(self) -> int | float | None:
        """The seconds that the engine took, as it says itself."""
        return self.facts.number("seconds")


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A DAG run as its page shows it, steps in the order in which they run; ``form`` is what its trigger was given."""

    dag_id: str
    run_id: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    steps: tuple[Step, ...]
    form: Loose = field(default_factory=Loose)

    @property
    def is_finished(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in ("success", "failed")

    @property
    def makes_restore_point(self) -> bool:
        """Whether a restore point is what it is for; else it takes a media snapshot, checks media or restores."""
        return self._step(_COMMITS) is not None and not self.is_operation

    @property
    def checks_media(self) -> bool:
        """Whether it reads stored media back."""
        return self._step("MediaCheckOperator") is not None

    @property
    def is_drill(self) -> bool:
        """Whether it restores a restore point for real, and makes none."""
        return self._step(_DRILLS) is not None and not self.makes_restore_point and not self.is_operation

    @property
    def recovers_to_instant(self) -> bool:
        """Whether the drill recovers a cluster to an instant; else it restores a restore point."""
        return self._step("OpenPitrDrillOperator") is not None

    @property
    def streams_wal(self) -> bool:
        """Whether it streams WAL."""
        return self._step("StreamWalOperator") is not None

    @property
    def wal(self) -> Loose:
        """What was streamed; empty before the run's time is over."""
        return self._facts("StreamWalOperator")

    @property
    def makes_base_backup(self) -> bool:
        """Whether a base backup is what it is for."""
        return self._step("StoreBaseBackupOperator") is not None

    @property
    def base_backup(self) -> Loose:
        """The figures of the base backup; empty before it is committed."""
        return self._facts("CommitBaseBackupOperator")

    @property
    def checks_wal(self) -> bool:
        """Whether it reads stored WAL back."""
        return self._step("WalCheckOperator") is not None

    @property
    def wal_check(self) -> Loose:
        """What reading stored WAL back has shown."""
        return self._facts("WalCheckOperator")

    @property
    def watches(self) -> bool:
        """Whether it is a round of the watch."""
        return self._step("WatchOperator") is not None

    @property
    def watched(self) -> Loose:
        """What the round has found, and who was told."""
        return self._facts("WatchOperator")

    @property
    def is_operation(self) -> bool:
        """Whether it may change what is live, such as a restore."""
        return self._step(_OPERATES) is not None

    @property
    def operation(self) -> Loose:
        """What the operation's evidence says; empty before it is recorded."""
        return next((step.facts for step in self._evidence if not _is_of_return(step)), Loose())

    @property
    def way_back(self) -> Loose:
        """What the evidence of the restore after a failed migration says; empty where there was none."""
        return next((step.facts for step in self._evidence if _is_of_return(step)), Loose())

    @property
    def plan(self) -> Loose:
        """What the operation's plan says in figures; empty before it is made."""
        return self._facts("PlanOperator")

    @property
    def fresh_snapshot(self) -> str | None:
        """The restore point that an operation takes of what is live before it changes it; None where it has none."""
        return self.database.text("restore_point") if self.is_operation else None

    @property
    def changes(self) -> tuple[Step, ...]:
        """The steps that have changed what is live, in their order."""
        return tuple(step for step in self.steps if step.operator in _CHANGES_LIVE and step.facts)

    @property
    def has_changed_live(self) -> bool:
        """Whether a step that changes what is live has begun."""
        begun = ("running", "success", "failed")
        return any(step.operator in _CHANGES_LIVE and step.state in begun for step in self.steps)

    @property
    def instant(self) -> Loose:
        """When rows began to be wrong, as the live database says."""
        return self._facts("FirstInstantOperator")

    @property
    def finds_instant(self) -> bool:
        """Whether it looks for a corruption's first instant."""
        return self._step("FirstInstantOperator") is not None

    @property
    def drill(self) -> Loose:
        """What the drill's evidence says; empty before it is recorded."""
        return self._facts(_DRILLS)

    @property
    def has_gates(self) -> bool:
        """Whether people are asked to agree."""
        return self._step(*_GATES) is not None

    @property
    def approvals(self) -> tuple[Loose, ...]:
        """What people answered at the gates, the first one first."""
        answers = sorted((step for step in self.steps if step.operator in _GATES), key=lambda step: step.task_id)
        return tuple(step.facts for step in answers if step.facts)

    @property
    def closing(self) -> Loose:
        """Who has agreed to the drill, as the signed records say; empty before it is closed."""
        return self._facts("CloseDrillOperator")

    @property
    def only_expires(self) -> bool:
        """Whether it only lets go of what is too old, or tells what would go."""
        return {step.operator for step in self.steps} == {"ExpireOperator"}

    @property
    def is_committed(self) -> bool:
        """Whether the restore point exists: its manifest was written."""
        return any(step.operator == _COMMITS and step.state == "success" for step in self.steps)

    @property
    def failed(self) -> tuple[str, ...]:
        """The tasks that failed, those that only waited for them apart."""
        return tuple(step.task_id for step in self.steps if step.state == "failed")

    @property
    def blamed(self) -> str:
        """The failed tasks in a sentence; the run itself where it failed without one."""
        return ", ".join(self.failed) or "the run"

    @property
    def restore_point(self) -> str | None:
        """The restore point's id; None before it is opened."""
        if not self.makes_restore_point:
            return None
        return next((found for step in reversed(self.steps) if (found := step.facts.text("restore_point"))), None)

    @property
    def database(self) -> Loose:
        """The figures of the dump, as the latest step that has them tells."""
        told = (step.facts for step in reversed(self.steps) if step.operator in _DATABASE_STEPS)
        return next((facts for facts in told if facts), Loose())

    @property
    def guard(self) -> Loose:
        """What the store guard found."""
        return self._facts("StoreGuardOperator")

    @property
    def inventory(self) -> Loose:
        """What the configuration inventory has shown."""
        return self._facts("InventoryOperator")

    @property
    def media(self) -> Loose:
        """The media snapshot that the run took."""
        return self._facts("MediaSnapshotOperator", "MediaSyncOperator")

    @property
    def media_check(self) -> Loose:
        """What reading stored media back has shown."""
        return self._facts("MediaCheckOperator")

    @property
    def row_counts(self) -> Loose:
        """The rows of each table, where the run notes them."""
        return self._facts("RowCountsOperator")

    @property
    def expired(self) -> Loose:
        """What was deleted, and how much is kept."""
        return self._facts("ExpireOperator")

    @property
    def _evidence(self) -> list[Step]:
        return [step for step in self.steps if step.operator == _OPERATES]

    def _step(self, *kinds: str) -> Step | None:
        return next((step for step in self.steps if step.operator in kinds), None)

    def _facts(self, *kinds: str) -> Loose:
        step = self._step(*kinds)
        return step.facts if step else Loose()


def _is_of_return(step: Step) -> bool:
    return step.task_id.endswith("_return")
