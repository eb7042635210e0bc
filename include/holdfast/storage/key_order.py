"""Puts what a server lists into key order while it comes in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from holdfast.storage.protocol import StoredObject

_AFTER_SLASH = "0"  # the character after "/"


def in_key_order(objects: Iterable[StoredObject], prefix: str) -> Iterator[StoredObject]:
    """``objects`` sorted by key, held back no longer than needed.

    S3, Google and Azure list in key order. A server that keeps real folders (SeaweedFS) lists folder by
    folder: all of ``a/`` before ``a-b/``, whose key sorts first. Names that can change places so share a
    beginning, thus each run of them is sorted: at worst all that is below one folder of ``prefix``.
    """
    held: list[StoredObject] = []
    bound = ""
    for found in objects:
        if found.key >= bound:
            yield from sorted(held, key=lambda each: each.key)
            held.clear()
            bound = prefix + found.key[len(prefix) :].partition("/")[0] + _AFTER_SLASH
        held.append(found)
    yield from sorted(held, key=lambda each: each.key)
