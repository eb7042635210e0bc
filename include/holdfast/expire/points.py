"""What retention must know of the committed restore points: manifests, restore checks, and the media they pair with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from holdfast.catalog import Entry
from holdfast.catalog.restore_checks import checks_of, genuine_restore_check
from holdfast.environment import Environment
from holdfast.errors import PermanentError
from holdfast.manifest.model import MediaFacts
from holdfast.retention import Point
from holdfast.retention.rules import newest_undoubted, newest_verified, newest_whole
from holdfast.storage.protocol import StoredObject
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.verify.paired_media import paired_media_faults


def read_points(environment: Environment, entries: Iterable[Entry]) -> list[Point]:
    """One for each entry. Of media and restore checks only as many are read as it takes to know the newest ones.

    What was not read is taken to be well: it is of older restore points than those that decide anything.
    """
    verifier = environment.verifier()
    listed = {entry.id: entry for entry in entries}
    points: dict[RestorePointId, Point] = {}
    media: dict[RestorePointId, MediaFacts] = {}
    for id, entry in listed.items():
        stored_at = entry.objects[keys.MANIFEST].modified_at
        try:
            manifest = environment.catalog.manifest(id, verifier)
        except PermanentError:
            points[id] = Point(id, id.opened_at, entry.is_held, False, False, stored_at)
            continue
        snapshot_at = manifest.database.source.snapshot_at
        is_whole = not entry.missing(manifest)
        is_checked = bool(checks_of(entry))
        points[id] = Point(id, snapshot_at, entry.is_held, True, is_whole, stored_at, is_restored=is_checked)
        if manifest.media is not None:
            # The references may be two thousand paths, in each of thousands of restore points.
            media[id] = manifest.media.model_copy(update={"references": None})
    _look_closer(environment, points, listed, media)
    return list(points.values())


def _look_closer(
    environment: Environment,
    points: dict[RestorePointId, Point],
    listed: Mapping[RestorePointId, Entry],
    media: Mapping[RestorePointId, MediaFacts],
) -> None:
    """Correct what was taken to be well, from the newest on, until the newest are found to be as they are said."""
    shards = environment.media_catalog.shards() if media else {}
    seen: set[RestorePointId] = set()
    while due := _decisive(points.values()) - seen:
        seen |= due
        for id in due:
            points[id] = _corrected(environment, points[id], listed[id], media.get(id), shards)


def _decisive(points: Iterable[Point]) -> set[RestorePointId]:
    found = list(points)
    return newest_verified(found) | newest_whole(found) | newest_undoubted(found)


def _corrected(
    environment: Environment,
    point: Point,
    entry: Entry,
    media: MediaFacts | None,
    shards: Mapping[str, StoredObject],
) -> Point:
    check, is_disputed = (
        genuine_restore_check(environment.catalog, entry, environment.verifier())
        if point.is_restored
        else (None, point.is_disputed)
    )
    return replace(
        point,
        is_media_whole=media is None or not paired_media_faults(environment, media, shards),
        is_restored=check is not None and check.passed,
        is_disputed=is_disputed,
        has_failed=check is not None and not check.passed,
    )
