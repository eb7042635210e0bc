"""What differs between two snapshots, found by laying their listings beside each other: both are in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from holdfast.media.entries import Entry, parse
from holdfast.media.listing import ListingSearch

Kind = Literal["added", "changed", "removed"]
KINDS: tuple[Kind, ...] = ("added", "changed", "removed")
_UNSTORED = ("special", "vanished")


@dataclass(frozen=True, slots=True)
class Difference:
    """One path: in the newer snapshot alone, in both but not the same, or in the older alone."""

    kind: Kind
    path: bytes


def differences(older: ListingSearch, newer: ListingSearch) -> Iterator[Difference]:
    """Every difference in type, content, link target or mode, in order of the paths; in constant memory.

    Raises what reading a listing raises.
    """
    old_lines, new_lines = older.below(), newer.below()
    old, new = next(old_lines, None), next(new_lines, None)
    while old is not None or new is not None:
        if old == new:
            old, new = next(old_lines, None), next(new_lines, None)
            continue
        before, after = _entry(old), _entry(new)
        if after is None or (before is not None and before.path < after.path):
            assert before is not None
            yield from _one("removed", before)
            old = next(old_lines, None)
        elif before is None or after.path < before.path:
            yield from _one("added", after)
            new = next(new_lines, None)
        else:
            yield from _both(before, after)
            old, new = next(old_lines, None), next(new_lines, None)


def _entry(line: bytes | None) -> Entry | None:
    return None if line is None else parse(line)


def _one(kind: Kind, entry: Entry) -> Iterator[Difference]:
    if entry.kind not in _UNSTORED:
        yield Difference(kind, entry.path)


def _both(before: Entry, after: Entry) -> Iterator[Difference]:
    """A path that is nothing stored in one of them was added or removed."""
    if before.kind in _UNSTORED:
        yield from _one("added", after)
    elif after.kind in _UNSTORED:
        yield from _one("removed", before)
    elif _essence(before) != _essence(after):
        yield Difference("changed", after.path)


def _essence(entry: Entry) -> tuple[object, ...]:
    sha256 = None if entry.content is None else entry.content.sha256
    return entry.kind, sha256, entry.target, entry.mode
