"""Lets a row of pieces be made in a thread of its own while the ones before are worked on."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

from holdfast.media.channel import Broken, Channel


def ahead(pieces: Iterable[bytes], capacity_bytes: int) -> Iterator[bytes]:
    """The same pieces, up to ``capacity_bytes`` of them made beforehand; what making them raises is raised here."""
    channel: Channel[bytes] = Channel(capacity_bytes, len)
    failures: list[BaseException] = []

    def make() -> None:
        try:
            for piece in pieces:
                channel.put(piece)
        except Broken:
            pass
        except BaseException as error:
            failures.append(error)
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()
            channel.close()

    maker = threading.Thread(target=make, name="ahead", daemon=True)
    maker.start()
    try:
        while (piece := channel.get()) is not None:
            yield piece
        if failures:
            raise failures[0]
    finally:
        channel.break_off()
        maker.join()
