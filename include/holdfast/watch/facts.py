"""What the watch knows of one environment: read from its store, judged without it. All times are aware."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.manifest.model import Record

Verdict = Literal["passed", "failed"]


class PointFacts(Record):
    """One committed restore point (or base backup, or media snapshot: their tiers say which).

    ``committed_at``: when the store received its manifest, by the store's clock. ``seconds``: how long its data was
    being taken (a dump, a walk through media). ``bytes``: stored, of what it added. ``label`` of a base backup: full
    or incremental. ``is_decrypted``: whether its artifacts were read back before it was signed. ``restore_check`` is
    that of its newest record.
    """

    id: str
    tier: str
    opened_at: datetime
    committed_at: datetime
    seconds: float
    bytes: int
    rows: int | None = None
    tables: int | None = None
    label: str | None = None
    is_decrypted: bool = False
    restore_check: Verdict | None = None
    restore_checked_at: datetime | None = None
    restore_check_faults: tuple[str, ...] = ()


class FaultyPoint(Record):
    """A committed point that is not as it must be; ``kind`` is that of the finding it makes."""

    id: str
    tier: str
    opened_at: datetime
    kind: Literal["signature_mismatch", "artifact_missing", "not_decryptable"]
    text: str


class UnfinishedPoint(Record):
    """A point that was opened and is not committed; ``last_written_at`` by the store's clock."""

    id: str
    tier: str
    opened_at: datetime
    last_written_at: datetime


class TriedFacts(Record):
    """A drill or check that left evidence (``kind``: restore_drill, restore_check, pitr_drill, pitr_check).

    ``finished_at`` is when it ended; ``is_closed`` whether everybody who was asked has agreed (true where nobody is).
    ``rto_seconds``: how long its restore took, None where there is no time to speak of.
    ``faults``: what it found, at most ten sentences.
    """

    id: str
    kind: str
    opened_at: datetime
    finished_at: datetime
    verdict: Verdict
    is_closed: bool
    restore_point: str
    rto_seconds: float | None
    faults: tuple[str, ...] = ()


class CheckedFacts(Record):
    """A check that reads stored bytes back: of media shards (``media_check``) or of WAL (``wal_check``).

    ``oldest_unread_at``: how long ago the content longest unread was read or stored; None where all was read just now
    or nobody knows.
    """

    id: str
    kind: Literal["media_check", "wal_check"]
    checked_at: datetime
    faults: tuple[str, ...] = ()
    oldest_unread_at: datetime | None = None


class WalGapFacts(Record):
    """WAL that is missing in the store: names of the first and last segment, and the instants around it.

    ``is_healed``: a base backup that was taken behind it can be used, so that of all that comes from then on every
    instant can be recovered; only those between the gap and that base backup cannot, and never will be. Such a gap is
    no reason to wake anybody; one that is not healed needs a base backup now.
    """

    system_identifier: str
    timeline: int
    first: str
    last: str
    begins_at: datetime | None
    ends_at: datetime | None
    is_healed: bool = False


class WalMemory(Record):
    """What an earlier look at a long WAL knows, so that the next one lists only what came since.

    ``ranges``: first and last of whole segments that stand in the store, and history files, each alone; none where
    it is not long. ``keys``: how many objects there are; ``listed_at``: when all were listed. ``bases``: the base
    backups, whose signatures were checked not before ``bases_at``.
    """

    listed_at: datetime
    keys: int
    segment_bytes: int
    ranges: tuple[tuple[str, str], ...] = ()
    bases: tuple[BaseBackupManifest, ...] = ()
    bases_at: datetime


class WalFacts(Record):
    """The WAL of the cluster in use; ``system_identifier`` is None while nothing of any is stored.

    ``status_at``: when the streamer last said how it is, None where it never did; it does every minute and when a run
    ends, so that it stays behind while none works. ``caught_up_at``: the last moment of which everything that the
    source had flushed by then is stored; ``behind_bytes`` it had more. ``retained_bytes`` the slot makes the source
    keep; ``safe_bytes`` until the server drops the slot (None: no limit). ``lost``: the slot was invalidated or WAL was
    lost, in words, and no instant since can be recovered. ``newest_at``: when the newest piece was stored. ``faults``:
    what is damaged or cannot be trusted of what is needed from the newest usable base backup on; ``healed_faults``: the
    same of what lies before it.
    """

    system_identifier: str | None
    status_at: datetime | None = None
    caught_up_at: datetime | None = None
    behind_bytes: int | None = None
    retained_bytes: int | None = None
    safe_bytes: int | None = None
    lost: str | None = None
    newest_at: datetime | None = None
    gaps: tuple[WalGapFacts, ...] = ()
    faults: tuple[str, ...] = ()
    healed_faults: tuple[str, ...] = ()
    memory: WalMemory | None = None


class GuardFacts(Record):
    """One thing that the store guard looked at and found wrong."""

    name: str
    is_blocking: bool
    text: str
    hint: str | None


class RotationFacts(Record):
    """A variable of the inventory whose secret is due; ``rotated_by`` says who can.

    ``owner`` is empty where only the newest manifest tells of it: then it was due by ``rotate_by`` at the latest.
    """

    name: str
    rotate_by: date
    owner: str
    rotated_by: tuple[str, ...]


class SpaceSample(Record):
    """What the store held, estimated by manifests, and what its disk had free (a local store's alone), on a day."""

    at: datetime
    held_bytes: int
    free_bytes: int | None


class Trouble(Record):
    """A finding that reading itself makes: a store that does not answer, a broken audit trail, keys that do not fit."""

    kind: Literal["store_unreachable", "identity_mismatch", "signature_mismatch", "not_decryptable", "audit_broken"]
    subject: str
    text: str
    hint: str | None = None


class ScheduleFacts(Record):
    """A tier's schedule and the time zone that it is read in (``0 2 * * * Europe/Berlin``; empty for none).

    ``since``: when the watch first saw it so, None where it was so at the first look. What a schedule demanded before
    it was there is nobody's omission.
    """

    tier: str
    schedule: str
    since: datetime | None


class EnvironmentFacts(Record):
    """Everything known of one environment at ``read_at``.

    ``since``: the oldest trace of the environment in its store, None where there is none at all. ``points``: the
    newest of every tier, up to ``HISTORY`` of each, oldest first: restore points, base backups and media snapshots.
    One that lacks an artifact or cannot be decrypted is among them, one whose manifest cannot be trusted is not.
    ``vanished``: restore points that were known and are gone before their time. ``counts``: how many of each tier are
    committed. ``guard_at``: when the guard last looked at the store.
    """

    app: str
    environment: str
    read_at: datetime
    since: datetime | None
    points: tuple[PointFacts, ...] = ()
    counts: dict[str, int] = Field(default_factory=dict)
    faulty: tuple[FaultyPoint, ...] = ()
    vanished: tuple[FaultyPoint, ...] = ()
    unfinished: tuple[UnfinishedPoint, ...] = ()
    tried: tuple[TriedFacts, ...] = ()
    checked: tuple[CheckedFacts, ...] = ()
    wal: WalFacts | None = None
    guard: tuple[GuardFacts, ...] = ()
    guard_at: datetime | None = None
    rotations: tuple[RotationFacts, ...] = ()
    schedules: tuple[ScheduleFacts, ...] = ()
    space: tuple[SpaceSample, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def away(self) -> tuple[str, ...]:
        """Why the store could not be read, empty where it could: what was not found is not gone then."""
        return tuple(trouble.text for trouble in self.troubles if trouble.kind == "store_unreachable")


HISTORY = 15
"""How many points of a tier are kept as its history: enough for a median that one odd night does not move."""
