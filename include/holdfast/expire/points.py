"""What retention must know of the committed restore points, read from their manifests and the media they pair with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from holdfast.catalog import Entry
from holdfast.environment import Environment
from holdfast.errors import PermanentError
from holdfast.manifest.model import MediaFacts
from holdfast.retention import Point
from holdfast.retention.rules import newest_verified
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast.verify.paired_media import paired_media_faults


def read_points(environment: Environment, entries: Iterable[Entry]) -> list[Point]:
    """One for each entry. Of media only as many are looked at as it takes to know the newest verified ones."""
    verifier = environment.verifier()
    points: dict[RestorePointId, Point] = {}
    media: dict[RestorePointId, MediaFacts] = {}
    for entry in entries:
        stored_at = entry.objects[keys.MANIFEST].modified_at
        try:
            manifest = environment.catalog.manifest(entry.id, verifier)
        except PermanentError:
            points[entry.id] = Point(entry.id, entry.id.opened_at, entry.is_held, False, False, stored_at)
            continue
        snapshot_at = manifest.database.source.snapshot_at
        is_whole = not entry.missing(manifest)
        points[entry.id] = Point(entry.id, snapshot_at, entry.is_held, True, is_whole, stored_at)
        if manifest.media is not None:
            # The references may be two thousand paths, in each of thousands of restore points.
            media[entry.id] = manifest.media.model_copy(update={"references": None})
    _look_at_media(environment, points, media)
    return list(points.values())


def _look_at_media(
    environment: Environment, points: dict[RestorePointId, Point], media: Mapping[RestorePointId, MediaFacts]
) -> None:
    """Mark those whose media are not whole, from the newest on, until the newest are found to be whole."""
    shards = environment.media_catalog.shards() if media else {}
    seen: set[RestorePointId] = set()
    while due := newest_verified(points.values()) - seen:
        seen |= due
        for id in due & media.keys():
            if paired_media_faults(environment, media[id], shards):
                points[id] = replace(points[id], is_media_whole=False)
