"""Since when the store is behind the source, from what was seen of both."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from holdfast.streaming.catching_up import CatchingUp
from holdfast.values.lsn import Lsn

BEGIN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def at(seconds: int) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def test_it_is_caught_up_to_the_last_moment_whose_wal_is_stored() -> None:
    """Not to when something was stored last: an idle source stays caught up, a busy one falls behind."""
    following = CatchingUp()
    following.note(at(0), 1, Lsn(100), None)
    assert following.caught_up_at is None
    following.note(at(1), 1, Lsn(200), Lsn(150))
    assert following.caught_up_at == at(0)
    following.note(at(2), 1, Lsn(300), Lsn(200))
    assert following.caught_up_at == at(1)
    for second in range(3, 60):
        following.note(at(second), 1, Lsn(300 + second), Lsn(250))
    assert following.caught_up_at == at(1)
    following.note(at(60), 1, Lsn(400), Lsn(400))
    following.note(at(90), 1, Lsn(400), Lsn(400))
    assert following.caught_up_at == at(90)


def test_a_source_that_does_not_answer_is_not_caught_up_with() -> None:
    """Nobody knows what it has flushed since."""
    following = CatchingUp()
    following.note(at(0), 1, Lsn(100), Lsn(100))
    following.note(at(500), 1, None, Lsn(100))
    assert following.caught_up_at == at(0)


def test_what_an_old_primary_wrote_and_nobody_took_over_is_not_waited_for() -> None:
    """The new timeline began before it."""
    following = CatchingUp()
    following.note(at(0), 1, Lsn(900), Lsn(500))
    following.note(at(10), 2, Lsn(600), Lsn(500))
    following.note(at(11), 2, Lsn(600), Lsn(600))
    assert following.caught_up_at == at(11)
