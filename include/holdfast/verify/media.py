"""Checks stored media: reads shards to their last byte and compares every file's hash, whichever snapshot wants it."""

from __future__ import annotations

import math
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import datetime
from functools import partial

from holdfast.catalog import write_signed
from holdfast.environment import Environment
from holdfast.errors import PermanentError, StoreRefused, UsageError
from holdfast.media.damage import last_looks
from holdfast.media.entries import path_of
from holdfast.media.listing import ListingSearch
from holdfast.media.records import DamagedContent, MediaCheck, ShardLook, ShardUse, SnapshotManifest
from holdfast.media.side_by_side import side_by_side
from holdfast.media.snapshot_listing import open_listing
from holdfast.progress import Progress, Silent
from holdfast.storage.protocol import StoredObject
from holdfast.values.ids import RestorePointId
from holdfast.verify.media_contents import Contents, content_of
from holdfast.verify.media_report import DamagedFile, MediaCheckReport
from holdfast.verify.media_shard import MISSING, Finding, Progressed, check_shard

TIER = "media_check"
_SILENT = Silent()
_THREADS = 2
_MOST_NAMED = 10_000
_DAMAGED = "its bytes in the store are damaged"
Manifests = dict[RestorePointId, SnapshotManifest]


def check_media(
    environment: Environment, *, fraction: float = 1.0, now: datetime, progress: Progress = _SILENT
) -> MediaCheckReport:
    """Check all shards that snapshots name, or that ``fraction`` of them which no check has read for longest.

    Damage is reported, not raised; the result is stored, signed, where a signing key is at hand, for the next sync
    and the next check. Raises StoreError where the store does not answer.
    """
    if not 0 < fraction <= 1:
        raise UsageError(f"fraction {fraction}: it lies above 0, and is at most 1")
    return _Check(environment, fraction, now, progress).run()


class _Check:
    """One check."""

    def __init__(self, environment: Environment, fraction: float, now: datetime, progress: Progress) -> None:
        self._environment, self._fraction, self._now, self._progress = environment, fraction, now, progress
        self._started = time.monotonic()
        self._faults: list[str] = []
        self._notes: list[str] = []
        self._identities = environment.identities()
        self._progressed = Progressed()
        if self._identities is None:
            self._notes.append("no identity_file in the policy: hashes of the encrypted shards were compared")

    def run(self) -> MediaCheckReport:
        """Read, compare, name, record."""
        manifests = self._manifests()
        uses = {use.id: use for manifest in manifests.values() for use in manifest.shards}
        stored = self._environment.media_catalog.shards()
        chosen = self._chosen(uses, stored)
        with closing(Contents(use.id for use in chosen)) as contents:
            self._learn(contents, manifests, chosen)
            findings = [*self._read(chosen, contents), *_missing(uses, stored)]
        findings, manifests = self._still_wanted(findings, manifests)
        for finding in findings:
            if finding.locked is not None:
                self._faults.append(f"shard {finding.shard} is not decryptable: {finding.locked}")
        damaged = [finding for finding in findings if not finding.ok]
        count, files = self._named(damaged, manifests)
        record = self._record(self._provable(findings))
        return MediaCheckReport(
            shards=len(uses),
            shards_checked=len(chosen),
            files_checked=sum(finding.files for finding in findings),
            bytes=self._progressed.bytes,
            damaged_files=count,
            damaged=tuple(files),
            damaged_shards=tuple(finding.shard for finding in damaged),
            faults=tuple(self._faults),
            decrypted=self._identities is not None,
            record=record,
            notes=tuple(self._notes),
            seconds=time.monotonic() - self._started,
        )

    def _manifests(self) -> Manifests:
        catalog, verifier = self._environment.media_catalog, self._environment.verifier()
        found: Manifests = {}
        for id, manifest in catalog.manifests(catalog.ids(), verifier):
            if isinstance(manifest, SnapshotManifest):
                found[id] = manifest
            elif id in catalog.ids():  # else expire has removed it meanwhile
                self._faults.append(manifest.message)
        return found

    def _chosen(self, uses: dict[str, ShardUse], stored: dict[str, StoredObject]) -> list[ShardUse]:
        """The shards to be read, those that were not read for longest first; none of them is forgotten for ever."""
        present = [use for use in uses.values() if use.id in stored]
        looks = last_looks(
            self._environment.media_catalog.checks(self._environment.verifier(), self._environment.clock())
        )
        never = datetime.min.replace(tzinfo=self._now.tzinfo)
        present.sort(key=lambda use: (looks.get(use.id, never), use.id))
        return present[: max(1, math.ceil(len(present) * self._fraction - 1e-9))]

    def _learn(self, contents: Contents, manifests: Manifests, chosen: Sequence[ShardUse]) -> None:
        """What the chosen shards are to hold, from every listing, each of which is read whole and so checked too."""
        self._progress.begin("listings")
        for id, manifest in manifests.items():
            contents.add(self._lines(id, manifest))
        self._progress.end(f"{len(manifests)} snapshots")

    def _lines(self, id: RestorePointId, manifest: SnapshotManifest) -> Iterator[bytes]:
        """The lines of a listing as far as it is sound; what is wrong with it becomes a fault."""
        try:
            listing = self._listing(id, manifest)
            if listing is not None:
                yield from listing.below()
        except StoreRefused:
            raise
        except PermanentError as error:
            if id in self._environment.media_catalog.ids():
                fault = f"media snapshot {self._environment.title}/{id}: {error.message}"
                if fault not in self._faults:
                    self._faults.append(fault)

    def _listing(self, id: RestorePointId, manifest: SnapshotManifest) -> ListingSearch | None:
        environment = self._environment
        if self._identities is None and environment.policy.keys.signing_key_file is None:
            return None
        return open_listing(
            environment.store, environment.keys.listing(id), manifest.listing, environment.listing_identities()
        )

    def _read(self, chosen: Sequence[ShardUse], contents: Contents) -> list[Finding]:
        findings: list[Finding] = []
        told = 0

        def check(use: ShardUse) -> None:
            key = self._environment.keys.shard(use.id)
            wanted = contents.of(use.id)
            findings.append(check_shard(self._environment.store, key, use, wanted, self._identities, self._progressed))

        def tell() -> None:
            nonlocal told
            moved = self._progressed.bytes
            self._progress.advance(moved - told)
            told = moved

        self._progress.begin("check", sum(use.bytes for use in chosen))
        side_by_side([partial(check, use) for use in chosen], _THREADS, self._progressed.stop, tell)
        self._progress.end(f"{len(chosen)} shards")
        return sorted(findings, key=lambda finding: finding.shard)

    def _still_wanted(self, findings: Iterable[Finding], manifests: Manifests) -> tuple[list[Finding], Manifests]:
        """Without what an expire that ran beside this check has removed: that is no damage."""
        findings = list(findings)
        if all(finding.ok for finding in findings):
            return findings, manifests
        remaining = set(self._environment.media_catalog.ids())
        kept = {id: manifest for id, manifest in manifests.items() if id in remaining}
        wanted = {use.id for manifest in kept.values() for use in manifest.shards}
        return [finding for finding in findings if finding.ok or finding.shard in wanted], kept

    def _named(self, damaged: Sequence[Finding], manifests: Manifests) -> tuple[int, list[DamagedFile]]:
        """(how many paths are hit, the first of them): from the listings of the snapshots that name the shards."""
        by_shard = {finding.shard: finding for finding in damaged}
        hit: dict[tuple[bytes, str], tuple[str, list[str]]] = {}
        more: set[int] = set()
        for id, manifest in manifests.items():
            if not any(use.id in by_shard for use in manifest.shards):
                continue
            for line in self._lines(id, manifest):
                found = content_of(line)
                finding = by_shard.get(found[0]) if found is not None else None
                if found is None or finding is None or not finding.hits(found[1].sha256):
                    continue
                key = (path_of(line), finding.shard)
                if key in hit or len(hit) < _MOST_NAMED:
                    hit.setdefault(key, (_reason(finding), []))[1].append(str(id))
                else:
                    more.add(hash(key))
        files = [DamagedFile(path, shard, tuple(ids), reason) for (path, shard), (reason, ids) in sorted(hit.items())]
        return len(hit) + len(more), files

    def _provable(self, findings: Sequence[Finding]) -> list[Finding]:
        """Without the locked ones, if it is the identity here that is wrong: for that, nothing need be packed again."""
        if self._identities is None or self._environment.identities_fit(self._identities):
            return list(findings)
        self._notes.append("keys.identity_file opens nothing that is encrypted to the policy's recipients: correct it")
        return [finding for finding in findings if finding.locked is None]

    def _record(self, findings: Sequence[Finding]) -> str | None:
        """Store the signed result: what was read, and what is to be packed again. Its id, None without a key."""
        environment = self._environment
        try:
            signer = environment.signer()
        except UsageError as error:
            self._notes.append(f"the result was not stored: {error.message}")
            return None
        id = RestorePointId.make(self._now, TIER, secrets.token_hex(8))
        check = MediaCheck(
            id=str(id),
            app=environment.app,
            environment=environment.name,
            started_at=self._now,
            finished_at=environment.clock(),
            fraction=self._fraction,
            shards=tuple(ShardLook(id=finding.shard, ok=finding.ok) for finding in findings),
            damaged=tuple(content for finding in findings for content in _damaged(finding)),
        )
        keys = environment.keys
        write_signed(environment.store, keys.media_check(id), keys.media_check(id, ".sig"), check.encode(), signer)
        return str(id)


def _missing(uses: dict[str, ShardUse], stored: dict[str, StoredObject]) -> list[Finding]:
    return [Finding(shard, whole=MISSING) for shard in sorted(uses) if shard not in stored]


def _reason(finding: Finding) -> str:
    if finding.locked is not None:
        return f"its shard is not decryptable: {finding.locked}"
    return _DAMAGED if finding.whole is None else f"its shard as a whole: {finding.whole}"


def _damaged(finding: Finding) -> list[DamagedContent]:
    """What is to be packed again. A shard that nobody opens is lost, whatever its bytes are."""
    if finding.is_lost:
        return [DamagedContent(shard=finding.shard, sha256=None)]
    return [DamagedContent(shard=finding.shard, sha256=sha256) for sha256 in sorted(finding.damaged)]
