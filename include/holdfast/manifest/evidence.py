"""Evidence: what a restore drill or restore check did and found. Its bytes are written once and signed."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from holdfast.manifest.model import Record
from holdfast.manifest.pitr import PitrTried, Replayed

DrillKind = Literal["restore_drill", "restore_check", "pitr_drill", "pitr_check"]
PITR_KINDS = ("pitr_drill", "pitr_check")
OperationKind = Literal[
    "restore", "switch_back", "restore_tables", "recover_rows", "undo_rows", "guarded_migration", "rollback"
]
Kind = DrillKind | OperationKind
Fact = str | int | float | bool | None


class Finding(Record):
    """One thing that is not as it must be.

    ``about`` is ``backup`` where the restore point is to blame, or may be; ``drill`` where it is the drill's own
    surroundings (a full disk, a missing program, a wrong policy), which says nothing against the backup; ``operation``
    where an operation on the live application could not be done, or was refused.
    """

    about: Literal["backup", "drill", "operation"]
    text: str


class Step(Record):
    """One step as the drill took it; ``facts`` are small values for people, never a secret or a row's content."""

    name: str
    title: str
    started_at: datetime
    seconds: float
    outcome: Literal["passed", "failed"]
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    facts: dict[str, Fact] = Field(default_factory=dict)


class TableRows(Record):
    """The rows of one table as the manifest promises and as counted after the restore.

    ``expected`` is None for a table that the manifest does not know, ``found`` for one that was not counted.
    """

    table: str
    expected: int | None
    found: int | None

    @property
    def is_missing(self) -> bool:
        """Is the table promised, but not there?"""
        return self.expected is not None and self.found is None

    @property
    def is_equal(self) -> bool:
        """Is it there with just the rows that were promised?"""
        return self.expected is not None and self.found == self.expected


class Confinement(Record):
    """What the application's commands could reach, as proven before the first of them ran.

    ``network`` is the policy's word; ``interfaces`` and ``routes`` are what the kernel showed inside.
    """

    network: Literal["isolated", "isolated-host", "unconfined"]
    interfaces: tuple[str, ...]
    routes: tuple[str, ...]


class Surroundings(Record):
    """Where the restore was tried: the server, whether it was thrown away, and how long until it was ready."""

    server_version: str
    is_throwaway: bool
    is_same_major: bool
    ready_seconds: float
    confinement: Confinement | None = None


class HistoryPoint(Record):
    """An earlier restore point of the tier, for size against history: stored bytes of its dump, and its rows."""

    id: str
    bytes: int
    rows: int


class Window(Record):
    """The time within which the live application may be changed, and the ticket that allows it."""

    begins_at: datetime
    ends_at: datetime
    ticket: str | None = None


class Planned(Record):
    """What an operation was to do: ``sha256`` is that of ``body``; ``notes`` may have differed a moment later."""

    sha256: str
    body: str
    notes: str = ""


class GivenApproval(Record):
    """One person's agreement to what the gate showed: ``sha256`` is that of the text shown."""

    gate: str
    approver: str
    answered_at: datetime
    sha256: str
    comment: str | None = None


class Evidence(Record):
    """Everything that one drill, check or operation showed; of the first two, before anybody approved it.

    Of a recovery to an instant (``pitr``), the restore point is the base backup that it began with.
    """

    format: Literal["holdfast-evidence/1"] = "holdfast-evidence/1"
    id: str
    kind: Kind
    app: str
    environment: str
    holdfast_version: str
    restore_point: str
    restore_point_taken_at: datetime
    manifest_sha256: str
    source_version: str
    requested_by: str | None
    reason: str | None
    origin: str
    media: Literal["none", "sample", "all"]
    opened_at: datetime
    finished_at: datetime
    surroundings: Surroundings | None
    steps: tuple[Step, ...]
    steps_not_run: tuple[str, ...]
    tables: tuple[TableRows, ...]
    history: tuple[HistoryPoint, ...]
    restore_seconds: float | None
    rto_seconds: float | None
    approval: Literal["asked", "not asked"]
    plan: Planned | None = None
    window: Window | None = None
    approvals: tuple[GivenApproval, ...] = ()
    pitr: PitrTried | None = None
    replayed: Replayed | None = None
    verdict: Literal["passed", "failed"]

    def encode(self) -> bytes:
        """As every record, but without what only other kinds have: evidence was signed before there were these."""
        left_out = {"plan", "window", "approvals"} if self.is_drill else set[str]()
        left_out |= set() if self.is_pitr else {"pitr", "replayed"}
        return self.model_dump_json(indent=2, exclude=left_out).encode() + b"\n"

    @property
    def is_drill(self) -> bool:
        """Was it tried apart, and the live application never touched?"""
        return self.kind in ("restore_drill", "restore_check", *PITR_KINDS)

    @property
    def is_pitr(self) -> bool:
        """Was a cluster recovered to an instant, by a base backup and WAL?"""
        return self.kind in PITR_KINDS

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All steps' findings, in order."""
        return tuple(finding for step in self.steps for finding in step.findings)

    @property
    def faults(self) -> tuple[str, ...]:
        """Everything that speaks against it, in words: the findings, and the steps that were not run."""
        not_run = (f"not run: {name}" for name in self.steps_not_run)
        return (*(finding.text for finding in self.findings), *not_run)


class Closing(Record):
    """The end of a drill: it stands beside the evidence once everybody who was asked has agreed."""

    format: Literal["holdfast-closing/1"] = "holdfast-closing/1"
    id: str
    app: str
    environment: str
    evidence_sha256: str
    closed_at: datetime
    approval: Literal["given", "not asked"]
    approvals: tuple[GivenApproval, ...]
