"""Takes one base backup: the cluster's files through zstd and age into the store, looked at while they stream by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from holdfast.backup.base.compression import compressed
from holdfast.backup.base.file_list import FileList, WalRange
from holdfast.backup.base.members import TarMembers
from holdfast.backup.base.parent import Parent
from holdfast.backup.base.source import BaseSource
from holdfast.backup.base.stream import BaseBackupProgram
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import IntegrityError
from holdfast.manifest.base_backup import BaseArtifact
from holdfast.postgres.conninfo import Target
from holdfast.progress import Progress
from holdfast.storage.tally import Tally
from holdfast.storage.upload import Upload
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_LABEL, _LIST = "backup_label", "backup_manifest"
# Of 1 MiB each: what is compressed while the store writes; a disk that flushes 4 MiB may take long.
_MOST_WAITING = 16

Recipients = tuple[age.Recipient, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    """What was stored: the objects, the number of files and their bytes, the WAL that makes them consistent."""

    parent: Parent | None
    artifacts: tuple[BaseArtifact, ...]
    files: int
    data_bytes: int
    wal: WalRange


@dataclass(frozen=True, slots=True)
class Taking:
    """A source that is ready, and where its base backup goes."""

    environment: Environment
    id: RestorePointId
    target: Target
    source: BaseSource
    program: BaseBackupProgram
    progress: Progress

    def take(self, parent: Parent | None) -> Taken:
        """Store the tar, then PostgreSQL's list of its files, which hosts without identities can read.

        Raises what ``BaseBackupProgram.tar`` raises, StoreError, or IntegrityError for a tar that is not whole; then
        nothing of the tar appears.
        """
        files = FileList()
        # The label is asked for to be missed where it is not there: no server starts right without it.
        members = TarMembers({_LIST: files.take, _LABEL: lambda piece: None})
        self.progress.begin("base backup" if parent is None else "base backup, incremental")
        file = None if parent is None else parent.file
        with closing(self.program.tar(self.target, label=f"holdfast {self.id}", parent_manifest=file)) as tar:
            base = self._base(compressed(_whole(members, tar)))
        listing = self._list(files)
        self.progress.end(f"{members.files} files")
        return Taken(parent, (base, listing), members.files, members.data_bytes, files.wal_range())

    def _base(self, pieces: Iterable[bytes]) -> BaseArtifact:
        """Read and compressed here, encrypted and stored in a thread: neither waits while the disk or network does."""
        recipients, tally = self.environment.recipients(), Tally(self.progress.advance)
        storing = Upload(
            lambda written: self._put(keys.BASE_TAR, written, recipients, tally, self.source.size_bytes),
            most_waiting=_MOST_WAITING,
        )
        try:
            for piece in pieces:
                storing.write(piece)
            storing.finish()
        except BaseException:
            storing.abandon()
            raise
        return _artifact(keys.BASE_TAR, "base", recipients, tally)

    def _list(self, files: FileList) -> BaseArtifact:
        recipients, tally = self.environment.listing_recipients(), Tally()
        self._put(keys.BACKUP_MANIFEST, files.compressed(), recipients, tally, None)
        return _artifact(keys.BACKUP_MANIFEST, "backup_manifest", recipients, tally)

    def _put(
        self, name: str, pieces: Iterable[bytes], recipients: Recipients, tally: Tally, size_hint_bytes: int | None
    ) -> None:
        sealed = tally.over(age.encrypt(pieces, recipients))
        key = self.environment.keys.base_backup(self.id, name)
        self.environment.store.put(key, sealed, size_hint_bytes=size_hint_bytes)


def _artifact(
    name: str, content: Literal["base", "backup_manifest"], recipients: Recipients, tally: Tally
) -> BaseArtifact:
    return BaseArtifact(
        name=name, content=content, bytes=tally.bytes, sha256=tally.sha256, recipients=tuple(map(str, recipients))
    )


def _whole(members: TarMembers, tar: Iterable[bytes]) -> Iterator[bytes]:
    """The tar; raises IntegrityError at its end where something is not in it that has to be."""
    yield from members.over(tar)
    missing = {_LABEL, _LIST} - members.taken
    if missing or not members.is_complete:
        raise IntegrityError(f"base backup: pg_basebackup has left out {', '.join(sorted(missing)) or 'the end'}")
