"""Everything that is known of one environment, read from its store alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from holdfast.environment import Environment
from holdfast.media.records import SnapshotManifest
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import CheckedFacts, EnvironmentFacts, FaultyPoint, GuardFacts, UnfinishedPoint
from holdfast.watch.reading.checked import read_media_checks, read_wal_checks
from holdfast.watch.reading.faults import missing_media, undecryptable
from holdfast.watch.reading.keys import read_keys
from holdfast.watch.reading.media import MediaSnapshots, missing_shards, unfinished_media
from holdfast.watch.reading.places import BaseBackups, Place, RestorePoints, Told
from holdfast.watch.reading.points import PointsRead, known_of, read_points
from holdfast.watch.reading.round import Reading
from holdfast.watch.reading.settings import is_guard_due, read_guard, read_rotations
from holdfast.watch.reading.space import read_space
from holdfast.watch.reading.tried import TriedRead, read_tried
from holdfast.watch.reading.vanished import vanished
from holdfast.watch.reading.wal import read_wal
from holdfast.watch.schedules import seen_schedules

_SILENT = Silent()
_NOT_OURS = "point-in-time recovery is the provider's: not watched here"


def read_facts(
    environment: Environment, now: datetime, known: EnvironmentFacts | None = None, *, progress: Progress = _SILENT
) -> EnvironmentFacts:
    """What is known at ``now``, of which what is ``known`` from an earlier round is not read again.

    Never raises for what it finds, or does not find, in the store or of the keys: that is among the facts. Where the
    store does not answer, what was known stands.
    """
    progress.begin(f"look at {environment.title}")
    facts = _Round(Reading(environment, now), known).read()
    progress.end(f"{len(facts.points)} points")
    return facts


class _Round:
    """One reading, part by part: one that fails leaves the others."""

    def __init__(self, reading: Reading, known: EnvironmentFacts | None) -> None:
        self._reading, self._known = reading, known
        self._environment = reading.environment
        self._is_hour = is_guard_due(reading, known)
        self._media = MediaSnapshots(reading)
        self._newest_media: SnapshotManifest | None = None
        self._faulty: dict[tuple[str, str], FaultyPoint] = {}
        self._unfinished: list[UnfinishedPoint] = []

    def read(self) -> EnvironmentFacts:
        """All parts together."""
        reading, known, policy = self._reading, self._known, self._environment.policy
        reading.part("keys", lambda: read_keys(reading), None)
        tried = self._tried()
        tested = {one.restore_point for one in tried.tried if one.kind == "restore_check"}
        restore_points = self._points(RestorePoints(reading, tested))
        bases = self._points(BaseBackups(reading)) if policy.database.pitr == "streaming" else PointsRead()
        media = self._points(self._media) if policy.media is not None else PointsRead()
        newest = {**restore_points.newest, **bases.newest, **media.newest}
        self._look_at_artifacts(newest)
        checked = self._checked()
        points = (*restore_points.points, *bases.points, *media.points)
        counts = {**restore_points.counts, **bases.counts, **media.counts}
        wal_known = known.wal if known is not None else None
        wal = reading.part("wal", lambda: read_wal(self._environment, reading.now, wal_known), wal_known)
        space_known = known.space if known is not None else ()
        space = reading.part(
            "space", lambda: read_space(self._environment, points, counts, reading.now, space_known), space_known
        )
        guard, guard_at = self._guard()
        if policy.database.pitr == "provider":
            reading.notes.append(_NOT_OURS)
        return EnvironmentFacts(
            app=self._environment.app,
            environment=self._environment.name,
            read_at=reading.now,
            since=self._since(restore_points.oldest, bases.oldest, media.oldest, tried.oldest),
            points=points,
            counts=counts,
            faulty=tuple(self._faulty[key] for key in sorted(self._faulty)),
            vanished=self._vanished(restore_points),
            unfinished=tuple(sorted(self._unfinished, key=lambda point: point.id)),
            tried=tried.tried,
            checked=checked,
            wal=wal,
            guard=guard,
            guard_at=guard_at,
            rotations=reading.part("inventory", lambda: read_rotations(reading, restore_points.newest.items()), ()),
            schedules=seen_schedules(policy, reading.now, known),
            space=space,
            troubles=tuple(reading.troubles.values()),
            notes=tuple(dict.fromkeys(reading.notes)),
        )

    def _tried(self) -> TriedRead:
        known = TriedRead(self._known.tried) if self._known is not None else TriedRead()
        tried = self._reading.part("evidence", lambda: read_tried(self._reading, known), known)
        self._blame(tried.faulty)
        return tried

    def _points(self, place: Place) -> PointsRead:
        known = known_of(place, self._known)
        found = self._reading.part(place.title, lambda: read_points(self._reading, place, known), known)
        self._blame(found.faulty)
        self._unfinished += found.unfinished
        if place is self._media:
            self._unfinished += self._reading.part("media", lambda: unfinished_media(self._reading), ())
        return found

    def _vanished(self, restore_points: PointsRead) -> tuple[FaultyPoint, ...]:
        if restore_points.standing is None:
            return self._known.vanished if self._known is not None else ()
        return vanished(self._known, restore_points.standing, self._environment.policy, self._reading.now)

    def _look_at_artifacts(self, newest: Mapping[RestorePointId, Told]) -> None:
        """What the folders of the newest points do not show: what belongs to them elsewhere, and whether it opens."""
        reading = self._reading
        if any(told.media_snapshot is not None for told in newest.values()):
            self._blame(reading.part("media", lambda: missing_media(reading, self._media, newest), ()))
        verifier = reading.verifier
        if verifier is not None:
            self._newest_media = reading.part("media", lambda: self._media.newest(verifier), None)
            self._blame(self._media.forged.values())
        self._blame(reading.part("shards", self._missing_shards, ()))
        self._blame(reading.part("artifacts", lambda: undecryptable(reading, newest), ()))

    def _missing_shards(self) -> Iterable[FaultyPoint]:
        """Once an hour, and when there is a new snapshot: there may be very many shards to list."""
        last = self._newest_media
        if last is None:
            return ()
        if self._is_hour or self._known is None or last.id not in {point.id for point in self._known.points}:
            found = missing_shards(self._reading, last)
            return () if found is None else (found,)
        return [one for one in self._known.faulty if one.id == last.id and one.kind == "artifact_missing"]

    def _checked(self) -> tuple[CheckedFacts, ...]:
        reading, policy = self._reading, self._environment.policy
        known = self._known.checked if self._known is not None else ()
        found: tuple[CheckedFacts, ...] = ()
        if policy.media is not None:
            was = tuple(one for one in known if one.kind == "media_check")
            found += reading.part("media checks", lambda: read_media_checks(reading, self._newest_media, was), was)
        if policy.database.pitr == "streaming":
            was = tuple(one for one in known if one.kind == "wal_check")
            found += reading.part("wal checks", lambda: read_wal_checks(reading), was)
        return found

    def _guard(self) -> tuple[tuple[GuardFacts, ...], datetime | None]:
        known, known_at = (self._known.guard, self._known.guard_at) if self._known is not None else ((), None)
        is_folder = self._environment.store.url.startswith("file:")
        is_away = any(kind == "store_unreachable" for kind, _ in self._reading.troubles)
        if is_away or not (self._is_hour or is_folder):
            return known, known_at
        # A folder is looked at each time, which costs nothing; the hour is for what else waits for it.
        found = self._reading.part("guard", lambda: read_guard(self._reading), known)
        return found, self._reading.now if self._is_hour else known_at

    def _blame(self, faults: Iterable[FaultyPoint]) -> None:
        for fault in faults:
            self._faulty.setdefault((fault.id, fault.kind), fault)

    def _since(self, *oldest: datetime | None) -> datetime | None:
        known = self._known.since if self._known is not None else None
        return min((moment for moment in (known, *oldest) if moment is not None), default=None)
