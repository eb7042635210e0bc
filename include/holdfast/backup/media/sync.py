"""Takes a media snapshot: everything is stored before the manifest that makes it exist."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime

import holdfast
from holdfast.backup.drafts import OpenDraft
from holdfast.backup.media.facts import SyncFacts
from holdfast.backup.media.losses import Losses, is_closed
from holdfast.backup.media.parent import loose_shards, newest_parent
from holdfast.backup.media.plausibility import demand_plausible, demand_readable
from holdfast.catalog import write_signed
from holdfast.catalog.drafts import write_draft
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, ObjectExists, StoreError, UsageError
from holdfast.media.contents import Contents
from holdfast.media.damage import damaged_contents
from holdfast.media.listing import ListingWriter
from holdfast.media.opening import open_source
from holdfast.media.packing import Packer, ShardSizes
from holdfast.media.records import ListingFacts, ShardUse, SnapshotManifest
from holdfast.media.snapshotting import Counts, Snapshotting
from holdfast.media.source import Source
from holdfast.progress import Progress, Silent
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import LISTING_ENDING, MEDIA_OPEN

_SILENT = Silent()


def sync_media(
    environment: Environment,
    *,
    tier: str,
    opened_at: datetime,
    origin: str,
    force: bool = False,
    progress: Progress = _SILENT,
) -> SyncFacts:
    """Take one media snapshot; doing it again with the same arguments finds it and changes nothing.

    ``origin`` names what started it: a DAG run, or a random token. ``force`` accepts an empty source where the last
    snapshot had files. After a kill, what was stored is used again. Raises SourceUnavailable, StoreError, or
    PermanentError naming files that cannot be read; then no snapshot appears and the earlier ones stand.
    """
    return take_snapshot(environment, RestorePointId.make(opened_at, tier, origin), force=force, progress=progress)


def take_snapshot(
    environment: Environment, id: RestorePointId, *, force: bool, progress: Progress, sizes: ShardSizes | None = None
) -> SyncFacts:
    """Take the media snapshot of that id, or find it taken."""
    started = time.monotonic()
    source = _source(environment)
    recipients = environment.recipients()
    signer = environment.signer()
    if id in environment.media_catalog.ids():
        _clear(environment, id)
        return SyncFacts.of_manifest(environment.media_catalog.manifest(id, environment.verifier()), 0.0)
    with suppress(ObjectExists):  # an earlier attempt of the same run
        opened = OpenDraft(
            id=str(id),
            app=environment.app,
            environment=environment.name,
            tier=id.tier,
            label=None,
            opened_at=id.opened_at,
        )
        write_draft(environment.store, environment.keys.media_draft(id, MEDIA_OPEN), opened, signer)
    try:
        sync = _Sync(environment, id, source, recipients, progress, sizes or ShardSizes())
        manifest = sync.run(force=force)
    except BaseException:
        # What was stored is left to the next sync; without the mark expire need not wait for this one.
        with suppress(HoldfastError):
            environment.store.delete(environment.keys.media_draft(id, MEDIA_OPEN))
        raise
    _clear(environment, id)
    return SyncFacts.of_manifest(manifest, time.monotonic() - started, tuple(sync.notes))


class _Sync:
    """One sync: what it builds upon, and what it has found out so far."""

    def __init__(
        self,
        environment: Environment,
        id: RestorePointId,
        source: Source,
        recipients: tuple[age.Recipient, ...],
        progress: Progress,
        sizes: ShardSizes,
    ) -> None:
        self.notes: list[str] = []
        self._environment, self._id, self._source, self._progress = environment, id, source, progress
        self._started_at = environment.clock()
        stored = environment.media_catalog.shards()
        self._parent = newest_parent(environment, self.notes)
        self._has_unread = self._parent is None and bool(self.notes)
        shards = self._parent.manifest.shards if self._parent else ()
        # Asked for once: what the manifest says of the shards must be what they were encrypted to.
        self._sealed_to = recipients
        self._recipients = tuple(map(str, recipients))
        self._losses = Losses(shards, stored, _damage(environment), self._recipients)
        if self._losses.missing:
            self.notes.append(f"{len(self._losses.missing)} shards are missing or cut: their files are packed again")
        if self._losses.closed:
            self.notes.append(
                f"{len(self._losses.closed)} shards are not encrypted to all recipients: their files are packed again"
            )
        self._uses = {shard.id: shard for shard in shards}
        self._contents = Contents(self._losses)
        for loose in loose_shards(environment, stored):
            if is_closed(loose.use, self._recipients):
                continue
            self._uses[loose.use.id] = loose.use
            self._contents.add_seen(loose.lines)
        self._packer = Packer(source, self._contents, self._store_shard, self._keep_shard, sizes)

    def run(self, *, force: bool) -> SnapshotManifest:
        """Walk, pack, store the listing, commit."""
        parent = self._parent
        self._progress.begin("media", parent.manifest.bytes if parent else None)
        walk = Snapshotting(
            self._source, self._contents, self._packer, self._losses if self._losses else None, self._progress
        )
        blocks = parent.blocks() if parent else iter(())
        lines = walk.lines(blocks, lambda: self._contents.add_listed(parent.blocks()) if parent else None)
        try:
            listing = self._store_listing(self._checked(lines, walk.counts, force=force))
        except BaseException as error:
            self._packer.abandon()
            if self._packer.shards:
                error.add_note("What was stored is used again by the next sync.")
            raise
        finally:
            self._contents.close()
        manifest = self._manifest(walk.counts, listing)
        self._commit(manifest)
        self._progress.end(
            f"{manifest.files} files, {manifest.read_files} read, {manifest.new_files} new, "
            f"{len(self._packer.shards)} shards stored"
        )
        return manifest

    def _checked(self, lines: Iterator[bytes], counts: Counts, *, force: bool) -> Iterator[bytes]:
        """The lines, ending in an error where they must not become a snapshot."""
        yield from lines
        demand_readable(self._source, counts)
        if not force:
            parent = self._parent.manifest if self._parent else None
            demand_plausible(self._source, counts, parent, has_unread=self._has_unread)

    def _store_listing(self, lines: Iterator[bytes]) -> ListingFacts:
        key = self._environment.keys.listing(self._id)
        self._environment.store.delete(key)  # an attempt that died left it: no manifest stands, so nobody reads it
        writer, tally = ListingWriter(), Tally()
        sealed = age.encrypt(writer.frames(lines), self._environment.listing_recipients())
        self._environment.store.put(key, tally.over(sealed))
        return writer.facts(tally.bytes, tally.sha256)

    def _store_shard(self, shard: str, tar: Iterator[bytes], size_hint_bytes: int) -> tuple[int, str]:
        """Called in the packer's threads."""
        tally = Tally()
        sealed = tally.over(age.encrypt(tar, self._sealed_to))
        self._environment.store.put(self._environment.keys.shard(shard), sealed, size_hint_bytes=size_hint_bytes)
        return tally.bytes, tally.sha256

    def _keep_shard(self, use: ShardUse, lines: list[bytes]) -> None:
        """Leave word of a stored shard, so that it is used again if this sync dies. In the packer's threads."""
        environment, use = self._environment, self._sealed(use)
        plaintext = ListingWriter().frames([use.model_dump_json().encode(), *lines])
        document = b"".join(age.encrypt(plaintext, environment.listing_recipients()))
        write_signed(
            environment.store,
            environment.keys.media_draft(self._id, use.id + LISTING_ENDING),
            environment.keys.media_draft(self._id, f"{use.id}.sig"),
            document,
            environment.signer(),
        )

    def _manifest(self, counts: Counts, listing: ListingFacts) -> SnapshotManifest:
        added = self._packer.shards
        uses = {**self._uses, **{id: self._sealed(use) for id, use in added.items()}}
        return SnapshotManifest(
            id=str(self._id),
            app=self._environment.app,
            environment=self._environment.name,
            tier=self._id.tier,
            source=self._source.url,
            started_at=self._started_at,
            finished_at=self._environment.clock(),
            holdfast_version=holdfast.__version__,
            parent=self._parent.manifest.id if self._parent else None,
            files=counts.files,
            directories=counts.directories,
            links=counts.links,
            bytes=counts.size_bytes,
            read_files=counts.read_files,
            new_files=counts.new_files,
            stored_bytes=sum(use.bytes for use in added.values()),
            vanished=counts.vanished,
            unstable=counts.unstable,
            special=counts.special,
            file_systems=self._source.file_systems,
            recipients=self._recipients,
            listing=listing,
            shards=tuple(
                uses[shard].model_copy(update={"wanted_bytes": min(wanted, uses[shard].data_bytes)})
                for shard, wanted in sorted(counts.wanted_bytes.items())
            ),
        )

    def _sealed(self, use: ShardUse) -> ShardUse:
        return use.model_copy(update={"recipients": self._recipients})

    def _commit(self, manifest: SnapshotManifest) -> None:
        """Write the manifest, once every shard was seen to stand: an expire may have run beside this sync."""
        stored = self._environment.media_catalog.shards()
        gone = [use.id for use in manifest.shards if use.id not in stored or stored[use.id].size_bytes != use.bytes]
        if MEDIA_OPEN not in self._environment.media_catalog.drafts().get(self._id, ()):
            raise StoreError(
                f"media snapshot {self._environment.title}/{manifest.id}: an expire took this sync for dead",
                hint="Are the clocks of all hosts right? Run the sync again.",
            )
        if gone:
            raise StoreError(
                f"media snapshot {self._environment.title}/{manifest.id}: {len(gone)} shards that it needs "
                f"were removed meanwhile, {gone[0]} among them",
                hint="Run the sync again: it packs their files anew.",
            )
        write_signed(
            self._environment.store,
            self._environment.keys.media_manifest(self._id),
            self._environment.keys.media_signature(self._id),
            manifest.encode(),
            self._environment.signer(),
        )


def _source(environment: Environment) -> Source:
    media = environment.policy.media
    if media is None:
        raise UsageError(
            f"{environment.title}: the policy has no media section",
            hint="Say where the files lie, such as media: {source: file:///srv/app/storage}.",
        )
    connection = environment.connections.get(media.conn_id) if media.conn_id is not None else None
    return open_source(media.source, connection)


def _damage(environment: Environment) -> Callable[[str, str], bool] | None:
    """Tells contents that checks found damaged; None where there are none."""
    damage = damaged_contents(environment.media_catalog.checks(environment.verifier(), environment.clock()))
    return damage.covers if damage else None


def _clear(environment: Environment, id: RestorePointId) -> None:
    """Remove the drafts of a committed snapshot, the mark that it is under way last."""
    names = sorted(environment.media_catalog.drafts().get(id, ()), key=lambda name: (name == MEDIA_OPEN, name))
    for name in names:
        environment.store.delete(environment.keys.media_draft(id, name))
