"""The queue between threads: nothing is lost, nobody waits for ever."""

from __future__ import annotations

import threading
import time

import pytest

from holdfast.media.channel import Broken, Channel


@pytest.mark.parametrize("capacity", [1, 2, 3, 8])
def test_everything_that_is_put_arrives_once(capacity: int) -> None:
    channel: Channel[int] = Channel(capacity)
    taken: list[int] = []

    def produce(start: int) -> None:
        for number in range(start, start + 2000):
            channel.put(number)

    def consume() -> None:
        while (number := channel.get()) is not None:
            taken.append(number)

    producers = [threading.Thread(target=produce, args=(start,)) for start in (0, 2000, 4000)]
    consumers = [threading.Thread(target=consume) for _ in range(2)]
    started = time.monotonic()
    for thread in (*producers, *consumers):
        thread.start()
    for thread in producers:
        thread.join(20)
    channel.close()
    for thread in consumers:
        thread.join(20)
    assert sorted(taken) == list(range(6000))
    assert time.monotonic() - started < 15


def test_who_waits_for_room_is_stopped_when_it_is_broken() -> None:
    channel: Channel[int] = Channel(1)
    channel.put(1)
    threading.Timer(0.2, channel.break_off).start()
    with pytest.raises(Broken):
        channel.put(2)
    with pytest.raises(Broken):
        channel.get()
