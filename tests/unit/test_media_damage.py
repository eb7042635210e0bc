"""What checks leave for the next sync and the next check."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from holdfast.media.damage import damaged_contents, last_looks
from holdfast.media.records import DamagedContent, MediaCheck, ShardLook

START = datetime(2026, 11, 22, tzinfo=UTC)


def check(day: int, looked: dict[str, bool], damaged: list[tuple[str, str | None]] | None = None) -> MediaCheck:
    return MediaCheck(
        id="x",
        app="shop",
        environment="production",
        started_at=START,
        finished_at=START + timedelta(days=day),
        fraction=1,
        shards=tuple(ShardLook(id=shard, ok=ok) for shard, ok in looked.items()),
        damaged=tuple(DamagedContent(shard=shard, sha256=sha256) for shard, sha256 in damaged or []),
    )


def test_last_look_decides() -> None:
    """Damage stands until a later check finds the shard sound; other shards do not matter."""
    checks = [check(1, {"a": False, "b": False}, [("a", "1"), ("b", None)]), check(2, {"c": True})]
    damage = damaged_contents(checks)
    assert damage.covers("a", "1")
    assert not damage.covers("a", "2")
    assert damage.covers("b", "anything")
    assert not damaged_contents([*checks, check(3, {"a": True, "b": True})])


def test_looks_are_remembered() -> None:
    """Of each shard, the last time that a check read it."""
    looks = last_looks([check(1, {"a": True, "b": True}), check(2, {"a": False})])
    assert looks == {"a": START + timedelta(days=2), "b": START + timedelta(days=1)}
