"""Brings the files of a base backup into the data directory: fetched, proven, combined, and verified."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import DecryptError, IntegrityError, RestoreError, TransientError
from holdfast.manifest.base_backup import BaseArtifact, BaseBackupManifest
from holdfast.pitr.ahead import ahead
from holdfast.pitr.destination import MARK, WORK, Destination
from holdfast.pitr.planning import RecoveryPlan
from holdfast.pitr.programs import Programs
from holdfast.pitr.untar import Extraction
from holdfast.postgres.outer_zstd import decompressed
from holdfast.process.child import ChildFailed
from holdfast.progress import Progress
from holdfast.storage.tally import Tally
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_AHEAD_BYTES = 8 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LINKING_MAJOR = 18
_MOST_WAL_BYTES = 3 << 29  # what lies ahead of the server, and what it keeps until it has written its pages


@dataclass(frozen=True, slots=True)
class BasePlacing:
    """Puts the base backup of a plan into ``destination``."""

    environment: Environment
    plan: RecoveryPlan
    destination: Destination
    programs: Programs
    progress: Progress

    def place(self) -> None:
        """All of it; the data directory then is a cluster that needs its WAL.

        Raises IntegrityError, DecryptError or SignatureError for what is not as it was stored, RestoreError for what
        PostgreSQL's own tools find wrong, TransientError for a full disk.
        """
        manifests = (*self.plan.chain, self.plan.base)
        copies = 2 if self.plan.chain and self.programs.major < _LINKING_MAJOR else 1
        needed = sum(one.data_bytes for one in manifests) + (copies - 1) * manifests[0].data_bytes
        needed += min(self.plan.wal_bytes, _MOST_WAL_BYTES)
        self.destination.demand_room(needed)
        identities = self.environment.demand_identities()
        try:
            if not self.plan.chain:
                self._extract(self.plan.base, self.destination.path, identities)
            else:
                self._combine([self._extract(one, self._folder(one), identities) for one in manifests])
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise TransientError(
                f"data directory {self.destination.path}: {(error.strerror or str(error)).lower()}",
                hint=f"Make room for {needed} bytes and the WAL. {self.destination.advice()}",
            ) from error
        self._verify()

    def _folder(self, manifest: BaseBackupManifest) -> Path:
        folder = self.destination.work / manifest.id
        self.destination.account.make_folder(folder)
        return folder

    def _extract(self, manifest: BaseBackupManifest, folder: Path, identities: Sequence[age.Identity]) -> Path:
        artifact = _artifact(manifest)
        self.progress.begin(f"base {manifest.kind}", manifest.data_bytes)
        extraction = Extraction(folder, self.destination.account, self.progress.advance)
        name = f"base backup {self.environment.title}/{manifest.id}"
        try:
            plaintext = ahead(_plaintext(self.environment, manifest, artifact, identities), _AHEAD_BYTES)
            extraction.take(ahead(decompressed(plaintext), _AHEAD_BYTES))
        except (DecryptError, IntegrityError) as error:
            raise type(error)(
                f"{name}: {artifact.name}: {error.message}",
                hint=error.hint or "It was damaged or replaced in the store: recover by an older base backup.",
            ) from error
        self.progress.end(f"{manifest.id}, {extraction.files} files")
        return folder

    def _combine(self, pieces: list[Path]) -> None:
        """pg_combinebackup wants a folder of its own, whose content then moves into the data directory."""
        self.progress.begin("combine")
        out = self.destination.work / "combined"
        for manner in self._manners():
            shutil.rmtree(out, ignore_errors=True)
            ran = self.programs.run(
                self.destination,
                "pg_combinebackup",
                *(*manner, "--no-sync", f"--output={out}"),
                *map(str, pieces),
            )
            if ran.status == 0:
                break
        else:
            failure = ChildFailed.of("pg_combinebackup", ran.status, ran.stderr)
            raise RestoreError(f"base backup {self.plan.base.id}: {failure.message}")
        for entry in out.iterdir():
            entry.rename(self.destination.path / entry.name)
        out.rmdir()
        for piece in pieces:
            shutil.rmtree(piece)
        self.progress.end(f"{len(pieces)} base backups")

    def _manners(self) -> tuple[tuple[str, ...], ...]:
        """The pieces are ours and go away: what need not be copied is not. Not every file system can."""
        if self.programs.major >= _LINKING_MAJOR:
            return ("--link",), ()
        return ("--copy-file-range",), ()

    def _verify(self) -> None:
        """What PostgreSQL's own manifest says of every file; WAL is not in a base backup of ours."""
        self.progress.begin("pg_verifybackup")
        ignored = (f"--ignore={name}" for name in (MARK, WORK))
        ran = self.programs.run(
            self.destination,
            "pg_verifybackup",
            *("--no-parse-wal", "--quiet", "--exit-on-error"),
            *ignored,
            str(self.destination.path),
        )
        if ran.status:
            failure = ChildFailed.of("pg_verifybackup", ran.status, ran.stderr)
            raise RestoreError(
                f"base backup {self.environment.title}/{self.plan.base.id}: {failure.message}",
                hint="Its files are not as its own manifest says: recover by an older base backup.",
            )
        self.progress.end()


def _artifact(manifest: BaseBackupManifest) -> BaseArtifact:
    for artifact in manifest.artifacts:
        if artifact.name == keys.BASE_TAR:
            return artifact
    raise IntegrityError(f"manifest {manifest.app}/{manifest.environment}/{manifest.id}: it names no {keys.BASE_TAR}")


def _plaintext(
    environment: Environment, manifest: BaseBackupManifest, artifact: BaseArtifact, identities: Sequence[age.Identity]
) -> Iterator[bytes]:
    """What is inside of age; raises IntegrityError before its end where size or SHA-256 are not the manifest's."""
    key = environment.keys.base_backup(RestorePointId.parse(manifest.id), artifact.name)
    tally = Tally()
    try:
        yield from age.decrypt(tally.over(environment.store.stream(key)), identities)
    except DecryptError as error:
        if tally.bytes >= artifact.bytes and tally.sha256 != artifact.sha256:
            raise IntegrityError("sha256 mismatch") from error
        raise
    if (tally.bytes, tally.sha256) != (artifact.bytes, artifact.sha256):
        raise IntegrityError("sha256 mismatch")
