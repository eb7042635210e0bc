"""How much the store holds of an environment, and what its disk has free."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from urllib.parse import unquote, urlsplit

from holdfast.environment import Environment
from holdfast.errors import PermanentError, StoreRefused
from holdfast.watch.facts import PointFacts, SpaceSample

SAMPLES = 60


def read_space(
    environment: Environment,
    points: Sequence[PointFacts],
    counts: Mapping[str, int],
    now: datetime,
    known: tuple[SpaceSample, ...],
) -> tuple[SpaceSample, ...]:
    """A sample for each day, the newest at ``now``; at most ``SAMPLES``.

    What is held is estimated: of each tier its count times the mean of ``points``; the shards that the newest media
    snapshot wants; WAL by its listing. Where that takes requests, for media and WAL, once a day. What is free is looked
    at each time. Raises StoreError.
    """
    days = {sample.at.astimezone(UTC).date(): sample for sample in known}
    today = days.get(now.astimezone(UTC).date())
    is_told = environment.policy.media is None and environment.policy.database.pitr != "streaming"
    held = _held_bytes(environment, points, counts, now) if today is None or is_told else today.held_bytes
    days[now.astimezone(UTC).date()] = SpaceSample(
        at=now, held_bytes=held, free_bytes=free_bytes(environment.store.url)
    )
    return tuple(days[day] for day in sorted(days))[-SAMPLES:]


def free_bytes(url: str) -> int | None:
    """What the disk of a local store has free for it; None of a bucket, and where the disk is not there."""
    parts = urlsplit(url)
    if parts.scheme != "file":
        return None
    folder = Path(unquote(parts.path))
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


def _held_bytes(
    environment: Environment, points: Sequence[PointFacts], counts: Mapping[str, int], now: datetime
) -> int:
    held = media = _media_bytes(environment, now)
    for tier, count in counts.items():
        sizes = [point.bytes for point in points if point.tier == tier]
        # Snapshots share shards: what the newest wants is nearer to the truth than what each has added.
        if sizes and not (tier == "media" and media):
            held += round(count * fmean(sizes))
    if environment.policy.database.pitr == "streaming":
        pieces = environment.wal_catalog.pieces()
        held += sum(piece.stored.size_bytes for piece in pieces if piece.stored is not None)
    return held


def _media_bytes(environment: Environment, now: datetime) -> int:
    """The shards of the newest snapshot; 0 where there is none that can be trusted."""
    if environment.policy.media is None:
        return 0
    catalog = environment.media_catalog
    try:
        for id in catalog.newest_first(now)[:1]:
            return sum(shard.bytes for shard in catalog.manifest(id, environment.verifier()).shards)
    except StoreRefused:
        raise
    except PermanentError:
        return 0
    return 0
