"""Sorts the entries of a snapshot into a plan, and refuses those that cannot be files below any folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from holdfast.environment import Environment
from holdfast.errors import IntegrityError, UsageError
from holdfast.media.entries import Entry, parse
from holdfast.media.globs import Glob
from holdfast.media.listing import ListingSearch
from holdfast.media.records import SnapshotManifest
from holdfast.media.selection import Selection
from holdfast.media.snapshot_listing import open_listing
from holdfast.restore.media_files import Marks
from holdfast.restore.media_plan import Plan
from holdfast.restore.media_tally import Tally
from holdfast.restore.media_tree import Refused, demand_plain
from holdfast.values.ids import RestorePointId

_BOTH = "it is the key of a file and of a folder at once, and a directory can have but one of them"
_NOT_THERE = "the snapshot holds nothing of that name"


class Planner:
    """Fills a plan. ``files``, ``special``, ``vanished``, ``unstable``: how many entries of which kind there were."""

    def __init__(self, plan: Plan, tally: Tally) -> None:
        self._plan, self._tally = plan, tally
        self.files = self.special = self.vanished = self.unstable = 0

    def add(self, entries: Iterable[Entry]) -> None:
        """Take all entries; those that are refused are named in the tally."""
        for entry in entries:
            if entry.kind == "special":
                self.special += 1
            elif entry.kind == "vanished":
                self.vanished += 1
            else:
                try:
                    self._add(entry)
                except Refused as refused:
                    self._tally.fault(entry.path, str(refused))
                except IntegrityError as error:
                    self._tally.fault(entry.path, error.message)
        for path in self._plan.take_impossible():
            self._tally.fault(path, _BOTH)

    def notes(self) -> list[str]:
        """What was in the source but is no part of what was restored, or not as it should be."""
        found = []
        if self.special:
            found.append(f"{self.special} sockets, pipes or devices were in the source; they are not stored")
        if self.vanished:
            found.append(f"{self.vanished} files vanished while the snapshot was taken")
        if self.unstable:
            found.append(f"{self.unstable} files were being changed while the snapshot was taken: look at them")
        return found

    def _add(self, entry: Entry) -> None:
        path = entry.path
        if path.endswith(b"/"):
            if entry.kind != "directory" and entry.size:
                raise Refused("it is a key that ends in a slash and has bytes, so it can be neither file nor folder")
            demand_plain(path[:-1])
            self._plan.add_folder(path[:-1], Marks(entry.mtime_ns, entry.mode, entry.uid, entry.gid))
            self._plan.add_parents(path[:-1])
            return
        demand_plain(path)
        if entry.kind == "directory":
            raise Refused("the listing is malformed: a folder without its slash")
        self._plan.add_parents(path)
        if entry.kind == "link":
            self._plan.add_link(entry)
            return
        if entry.content is None:
            raise Refused("the listing does not say where its bytes are")
        self.files += 1
        self.unstable += entry.is_unstable
        self._plan.add_file(entry, entry.content, entry.content.stored_bytes(entry.size))


def planned(
    environment: Environment,
    manifest: SnapshotManifest,
    globs: Sequence[str],
    paths: Iterable[bytes] | None,
    plan: Plan,
    tally: Tally,
) -> Planner:
    """What is to be restored; raises UsageError for a pattern that means nothing, before anything is written."""
    patterns = [Glob.parse(text) for text in globs]
    environment.demand_identities()
    key = environment.keys.listing(RestorePointId.parse(manifest.id))
    listing = open_listing(environment.store, key, manifest.listing, environment.listing_identities())
    planner = Planner(plan, tally)
    if paths is not None:
        planner.add(_named(listing, paths, tally))
        return planner
    selection = Selection(listing, patterns)
    planner.add(selection.entries())
    if selection.unmet:
        raise UsageError(
            f"path {selection.unmet[0]!r}: media snapshot {environment.title}/{manifest.id} holds nothing of that name",
            hint="Names are case-sensitive; * stands for a part of one name, ** for any folders.",
        )
    return planner


def _named(listing: ListingSearch, paths: Iterable[bytes], tally: Tally) -> Iterator[Entry]:
    """The entries of these paths, each once, in the listing's order so that a block of it is read but once."""
    for path in sorted(set(paths)):
        line = listing.line(path)
        if line is None:
            tally.fault(path, _NOT_THERE)
        else:
            yield parse(line)
