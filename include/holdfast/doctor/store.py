"""Doctor's look at the store: that it answers, takes objects create-only, and what it holds."""

from __future__ import annotations

import secrets
from collections import deque
from itertools import islice

from holdfast.environment import Environment
from holdfast.errors import ObjectExists
from holdfast.values.check import Check


def reachable(environment: Environment) -> str:
    """That the store can be listed."""
    deque(islice(environment.store.list(environment.keys.root), 1), maxlen=0)
    return f"{environment.store.url} answers"


def writable(environment: Environment) -> Check | str:
    """That an object can be stored once, not twice, read back and removed."""
    key = f"{environment.keys.root}doctor-probe-{secrets.token_hex(8)}"
    probe = secrets.token_bytes(64)
    environment.store.put(key, [probe])
    try:
        environment.store.put(key, [b"overwritten"])
    except ObjectExists:
        is_create_only = True
    else:
        is_create_only = False
    is_same = environment.store.get(key) == probe
    environment.store.delete(key)
    if not (is_create_only and is_same):
        return Check(
            "store write",
            "failed",
            "the store overwrites existing objects",
            "It ignores conditional writes (If-None-Match): use a store that honours them.",
        )
    return "an object was stored create-only, read back and removed"


def newest(environment: Environment) -> Check | str:
    """When the newest restore point was opened."""
    committed = [entry.id for entry in environment.catalog.entries() if entry.is_committed]
    if not committed:
        return Check("restore points", "warning", "none yet", "`holdfast backup POLICY ENV TIER` takes one.")
    return f"{len(committed)}, the newest is {committed[-1]}"
