"""Puts what a server lists into key order while it comes in."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from holdfast.storage.protocol import StoredObject

# They sort before "/".
_EARLY = re.compile(r"[-.]")
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


def listed_from(prefix: str, after: str) -> str | None:
    """What to ask a server to begin behind, so that it leaves out no key below ``prefix`` that sorts behind ``after``.

    None: with the first one. A server with real folders goes through ``a/`` before ``a-b/``: asked for what follows
    ``a-b/x`` it would leave out ``a/x``, which sorts behind it. So nothing from the first ``-`` or ``.`` on is told,
    nor the character before it: the name of a folder may stand for all that is in it.
    """
    if not after.startswith(prefix):
        return None
    told = _EARLY.split(after[len(prefix) :], maxsplit=1)[0].rstrip("/")[:-1]
    while told.endswith("/"):
        told = told.rstrip("/")[:-1]
    return prefix + told if told else None
