"""Restores a media snapshot, or what patterns mean of it, into a folder; every byte is checked before it has a name."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import IntegrityError, RestoreError
from holdfast.media.entries import shown
from holdfast.media.records import SnapshotManifest
from holdfast.media.shard_reading import ShardReader
from holdfast.media.side_by_side import side_by_side
from holdfast.progress import Progress, Silent
from holdfast.restore.media_files import size_standing
from holdfast.restore.media_finish import Finish, flush
from holdfast.restore.media_plan import Plan
from holdfast.restore.media_planning import Planner, planned
from holdfast.restore.media_report import MediaFault, MediaRestoreReport
from holdfast.restore.media_shards import ShardRestore
from holdfast.restore.media_tally import Tally
from holdfast.restore.media_target import demand_apart
from holdfast.restore.media_tree import Tree, Walker
from holdfast.values import figures
from holdfast.values.ids import RestorePointId

_SILENT = Silent()
_READ_ONLY = "the file system is read-only"
_STOPS = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk is full", errno.EROFS: _READ_ONLY}
_THREADS = min(4, max(2, os.cpu_count() or 1))
_AGAIN = "Run the same command again to go on."


def restore_media(
    environment: Environment,
    snapshot: RestorePointId,
    to: Path,
    *,
    globs: Sequence[str] = (),
    paths: Iterable[bytes] | None = None,
    overwrite: bool = False,
    follow_link: bool = True,
    progress: Progress = _SILENT,
) -> MediaRestoreReport:
    """Restore all of ``snapshot``, or what ``globs`` mean, below ``to``, which is made where it does not exist.

    ``paths``: exactly these instead, whatever signs are in them; one that the snapshot has not is named as a fault.
    ``follow_link``: whether ``to`` itself may be a symbolic link.

    A file that stands there already is left, and if it differs named as a fault, unless ``overwrite``; so a restore
    that was interrupted goes on when it is run again. Damage of single files or shards is reported, not raised.
    Raises ObjectMissing, SignatureError, IntegrityError or DecryptError where the snapshot itself cannot be read,
    UsageError for a pattern that means nothing and a target within the store or the media's source, RestoreError
    where the target has no room or cannot be written.
    """
    started = time.monotonic()
    demand_apart(environment, to)
    manifest = environment.media_catalog.manifest(snapshot, environment.verifier())
    with ExitStack() as opened:
        plan, tally = opened.enter_context(closing(Plan())), Tally()
        progress.begin("plan")
        planner = planned(environment, manifest, globs, paths, plan, tally)
        progress.end(f"{figures.count(planner.files)} files")
        tree = opened.enter_context(closing(Tree(to, follow_link=follow_link)))
        restore = _Restore(environment, manifest, to, tree, plan, tally, overwrite)
        restore.demand_writable()
        restore.demand_room()
        finish = Finish(plan, tree, tally, overwrite=overwrite)
        try:
            restore.carry_out(finish, progress)
        except KeyboardInterrupt as error:
            error.add_note(f"{restore.so_far} {_AGAIN}")
            raise
        except OSError as error:
            if error.errno not in _STOPS:
                raise
            raise RestoreError(f"{restore.title}: {_STOPS[error.errno]}", hint=f"{restore.so_far} {_AGAIN}") from error
    return _report(restore, planner, finish, time.monotonic() - started)


@dataclass(frozen=True, slots=True)
class _Restore:
    """One restore under way."""

    environment: Environment
    manifest: SnapshotManifest
    to: Path
    tree: Tree
    plan: Plan
    tally: Tally
    overwrite: bool

    @property
    def place(self) -> str:
        """The target as people are shown it: any name is text there."""
        return shown(os.fsencode(self.to))

    @property
    def title(self) -> str:
        return f"restore of media snapshot {self.environment.title}/{self.manifest.id} into {self.place}"

    @property
    def so_far(self) -> str:
        whole = figures.count(self.tally.files + self.tally.skipped)
        return f"{whole} files are whole in {self.place}, none is half-written."

    def demand_writable(self) -> None:
        """Raise RestoreError where nothing at all can be written: once, rather than for each file."""
        reason = None
        if os.fstatvfs(self.tree.root).f_flag & os.ST_RDONLY:
            reason = _READ_ONLY
        elif self.tree.is_fresh and not os.access(self.to, os.W_OK | os.X_OK):
            reason = "permission denied"
        if reason is not None:
            raise RestoreError(f"{self.title}: {reason}", hint="Nothing was written. Choose another folder.")

    def demand_room(self) -> None:
        """Raise RestoreError where the file system cannot take what is to be written."""
        room = os.fstatvfs(self.tree.root)
        count, needed_bytes = self.plan.needed(room.f_frsize)
        if not self.tree.is_fresh:
            count, needed_bytes = self._still_needed(room.f_frsize)
        free_bytes = room.f_bavail * room.f_frsize
        if needed_bytes > free_bytes:
            raise RestoreError(
                f"{self.title}: {figures.size(needed_bytes)} are needed, {figures.size(free_bytes)} are free",
                hint="Nothing was written. Free space there, choose another folder, or restore a part with --path.",
            )
        if room.f_files and count > room.f_favail:
            raise RestoreError(
                f"{self.title}: {figures.count(count)} files are to be made, the file system has room for "
                f"{figures.count(room.f_favail)} more",
                hint="Nothing was written. Choose another file system, or restore a part with --path.",
            )

    def carry_out(self, finish: Finish, progress: Progress) -> None:
        """Write everything, and have it on disk."""
        progress.begin("restore", self.plan.stored_bytes())
        finish.make_folders()
        self._files(progress)
        finish.link()
        finish.mark_folders()
        progress.end(f"{figures.count(self.tally.files)} files")
        progress.begin("flush")
        flush(self.tree)
        progress.end()

    def _still_needed(self, block_bytes: int) -> tuple[int, int]:
        """As far as sizes tell, without what an earlier run has restored."""
        count = needed_bytes = 0
        with Walker(self.tree) as walker:
            for _, number in self.plan.shards():
                for task in self.plan.files(number):
                    if size_standing(walker, task.path) != task.size:
                        count += 1
                        needed_bytes += -(-task.stored_bytes // block_bytes) * block_bytes
        return count, needed_bytes

    def _files(self, progress: Progress) -> None:
        """All shards, some at a time."""
        told = 0

        def tell() -> None:
            nonlocal told
            moved = self.tally.moved_bytes
            progress.advance(moved - told)
            told = moved

        jobs = [partial(self._shard, name, number) for name, number in self.plan.shards()]
        side_by_side(jobs, _THREADS, self.tally.stop, tell)

    def _shard(self, shard: str | None, number: int) -> None:
        reader = None if shard is None else self._reader(shard)
        with Walker(self.tree) as walker:
            ShardRestore(
                self.plan,
                number,
                reader,
                walker,
                self.tally,
                is_fresh=self.tree.is_fresh,
                overwrite=self.overwrite,
            ).run()

    def _reader(self, shard: str) -> ShardReader:
        environment = self.environment
        size_bytes = next((use.bytes for use in self.manifest.shards if use.id == shard), None)
        if size_bytes is None:
            raise IntegrityError(f"{self.title}: the listing names shard {shard}, the manifest does not")
        identities = environment.demand_identities()
        return ShardReader(environment.store, environment.keys.shard(shard), size_bytes, identities)


def _report(restore: _Restore, planner: Planner, finish: Finish, seconds: float) -> MediaRestoreReport:
    tally = restore.tally
    notes = planner.notes()
    if tally.unowned:
        notes.append(f"{tally.unowned} files and folders have no owner of their own: the file system refused it")
    return MediaRestoreReport(
        snapshot=restore.manifest.id,
        target=restore.place,
        files=tally.files,
        skipped=tally.skipped,
        directories=finish.folders,
        links=finish.links,
        hard_links=finish.hard_links,
        bytes=tally.size_bytes,
        read_bytes=tally.read_bytes,
        fault_count=tally.fault_count,
        faults=tuple(MediaFault(path, reason) for path, reason in sorted(tally.faults)),
        notes=tuple(notes),
        seconds=seconds,
    )
