"""Object keys: every name under which something lies in a store is built and parsed here.

A key is relative to the store's root and uses ``/``. Layout: docs/design.md, "What is in a store".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

MANIFEST = "manifest.json"
SIGNATURE = "manifest.sig"
HOLD = "hold.json"
SHARD_ENDING = ".tar.age"
LISTING_ENDING = ".jsonl.zst.age"
MEDIA_OPEN = "open.json"
WAL_ENDING = ".zst.age"
BASE_TAR = "base.tar.zst.age"
BACKUP_MANIFEST = "backup_manifest.zst.age"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def _plain(name: str) -> str:
    """Names from a store's content stand in keys only where they cannot lead elsewhere."""
    if not _PLAIN.fullmatch(name) or ".." in name:
        raise UsageError(f"name {name!r} cannot stand in a key")
    return name


@dataclass(frozen=True, slots=True)
class EnvironmentKeys:
    """The keys of one environment of one app."""

    app: str
    environment: str

    def __post_init__(self) -> None:
        for part in (self.app, self.environment):
            if not NAME.fullmatch(part):
                raise UsageError(f"name {part!r}: only a-z, 0-9, - and _ may stand in app and environment names")

    @property
    def root(self) -> str:
        """Prefix of everything that the environment owns, with its closing slash."""
        return f"{self.app}/{self.environment}/"

    @property
    def restore_points(self) -> str:
        """Prefix of all restore points, with its closing slash."""
        return f"{self.root}restore-points/"

    def restore_point(self, id: RestorePointId) -> str:
        """Prefix of one restore point, with its closing slash."""
        return f"{self.restore_points}{id}/"

    def manifest(self, id: RestorePointId) -> str:
        """The object whose existence makes the restore point exist."""
        return self.restore_point(id) + MANIFEST

    def signature(self, id: RestorePointId) -> str:
        """The detached Ed25519 signature over the manifest's bytes."""
        return self.restore_point(id) + SIGNATURE

    def hold(self, id: RestorePointId) -> str:
        """The mark that exempts a restore point from expiry."""
        return self.restore_point(id) + HOLD

    def artifact(self, id: RestorePointId, name: str) -> str:
        """One stored object of the restore point, such as ``database.dump.age``."""
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name):
            raise UsageError(f"artifact name {name!r} cannot stand in a key")
        return self.restore_point(id) + name

    def draft(self, id: RestorePointId, step: str) -> str:
        """What one step of a running backup leaves for the next; gone once the manifest stands."""
        return self.artifact(id, f"draft-{step}.json")

    @property
    def media(self) -> str:
        """Prefix of everything that belongs to media snapshots, with its closing slash."""
        return f"{self.root}media/"

    @property
    def shards(self) -> str:
        """Prefix of all shards, with its closing slash."""
        return f"{self.media}shards/"

    @property
    def media_snapshots(self) -> str:
        """Prefix of all media snapshots, with its closing slash."""
        return f"{self.media}snapshots/"

    @property
    def media_drafts(self) -> str:
        """Prefix of what running or dead syncs left, with its closing slash."""
        return f"{self.media}drafts/"

    @property
    def media_checks(self) -> str:
        """Prefix of the results of media checks, with its closing slash."""
        return f"{self.media}checks/"

    @property
    def exports(self) -> str:
        """Prefix of all compliance exports, with its closing slash."""
        return f"{self.root}exports/"

    def shard(self, shard: str) -> str:
        """One encrypted tar of media files."""
        return f"{self.shards}{_plain(shard)}{SHARD_ENDING}"

    def media_manifest(self, id: RestorePointId) -> str:
        """The object whose existence makes the media snapshot exist."""
        return f"{self.media_snapshots}{id}.json"

    def media_signature(self, id: RestorePointId) -> str:
        """The detached Ed25519 signature over the media snapshot's manifest."""
        return f"{self.media_snapshots}{id}.sig"

    def listing(self, id: RestorePointId) -> str:
        """The media snapshot's encrypted list of files."""
        return f"{self.media_snapshots}{id}{LISTING_ENDING}"

    def media_draft(self, id: RestorePointId, name: str) -> str:
        """What a running sync leaves for one that goes on after its death: ``open.json``, or a shard's index."""
        return f"{self.media_drafts}{id}/{_plain(name)}"

    def media_check(self, id: RestorePointId, ending: str = ".json") -> str:
        """The signed result of one media check, or with ``.sig`` its signature."""
        return f"{self.media_checks}{id}{ending}"

    def export(self, id: RestorePointId, name: str) -> str:
        """One object of the compliance export that was taken beside a restore point."""
        return f"{self.exports}{id}/{name}"

    @property
    def evidence(self) -> str:
        """Prefix of the evidence of all drills and restore checks, with its closing slash."""
        return f"{self.root}evidence/"

    def evidence_of(self, drill: RestorePointId) -> str:
        """Prefix of what one drill leaves, with its closing slash."""
        return f"{self.evidence}{drill}/"

    def evidence_object(self, drill: RestorePointId, name: str) -> str:
        """One object of a drill's evidence: ``evidence.json``, ``report.html``, a signature, a step's draft."""
        return self.evidence_of(drill) + _plain(name)

    @property
    def approvals(self) -> str:
        """Prefix of what was asked and answered at approval gates, with its closing slash."""
        return f"{self.root}approvals/"

    def approvals_of(self, subject: RestorePointId) -> str:
        """Prefix of what was asked and answered about ``subject``, such as a drill, with its closing slash."""
        return f"{self.approvals}{subject}/"

    def approval(self, subject: RestorePointId, name: str) -> str:
        """One request or answer about ``subject``, or a signature."""
        return self.approvals_of(subject) + _plain(name)

    @property
    def wal(self) -> str:
        """Prefix of all WAL, with its closing slash."""
        return f"{self.root}wal/"

    def wal_of(self, system_identifier: str) -> str:
        """Prefix of the WAL of one cluster, with its closing slash."""
        if not system_identifier.isascii() or not system_identifier.isdecimal():
            raise UsageError(f"system identifier {system_identifier!r}: not a number")
        return f"{self.wal}{system_identifier}/"

    def wal_piece(self, system_identifier: str, timeline: int, name: str) -> str:
        """One encrypted piece of WAL, ``name`` being a segment, a segment's beginning, or a history file."""
        return f"{self.wal_of(system_identifier)}{timeline:08X}/{_plain(name)}{WAL_ENDING}"

    def wal_record(self, system_identifier: str, timeline: int, name: str) -> str:
        """What is known of a piece of WAL, signed; it is written first."""
        return f"{self.wal_of(system_identifier)}{timeline:08X}/{_plain(name)}.json"

    def wal_check(self, system_identifier: str, id: RestorePointId) -> str:
        """What one check of the WAL has read."""
        return f"{self.wal_of(system_identifier)}checks/{id}.json"

    def wal_status(self, system_identifier: str, name: str) -> str:
        """What a streamer last said of itself and its source, signed; with an empty name their folder."""
        return f"{self.wal_of(system_identifier)}status/{_plain(name) if name else ''}"

    @property
    def watch(self) -> str:
        """Prefix of what the watch remembers from round to round, with its closing slash."""
        return f"{self.root}watch/"

    def watch_record(self, name: str) -> str:
        """One record of the watch, or its signature."""
        return self.watch + _plain(name)

    @property
    def audit(self) -> str:
        """Prefix of the audit trail, with its closing slash."""
        return f"{self.root}audit/"

    def audit_record(self, month: str, name: str) -> str:
        """One record of the audit trail, or its signature; ``month`` as 2026-11."""
        return f"{self.audit}{_plain(month)}/{_plain(name)}"

    @property
    def base_backups(self) -> str:
        """Prefix of all base backups, with its closing slash."""
        return f"{self.root}base-backups/"

    def base_backup(self, id: RestorePointId, name: str) -> str:
        """One object of a base backup: ``base.tar.zst.age``, its manifest, a draft."""
        return f"{self.base_backups}{id}/{_plain(name)}" if name else f"{self.base_backups}{id}/"

    def split_restore_point(self, key: str) -> tuple[str, str] | None:
        """(folder, object name) of a key below the restore points, the folder being an id's text; else None."""
        if not key.startswith(self.restore_points):
            return None
        folder, slash, name = key[len(self.restore_points) :].partition("/")
        return (folder, name) if slash and name else None
