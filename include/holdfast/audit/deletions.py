"""Records what is about to be deleted, before the first of it goes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import batched

from holdfast.audit.appending import append
from holdfast.audit.records import Act
from holdfast.environment import Environment

_AT_MOST = 200
Gone = tuple[str, str]
"""What goes, and why."""


def record_deletions(environment: Environment, kind: str, gone: Iterable[Gone], *, dry_run: bool) -> None:
    """Record, in one record or several, that things of a kind go; nothing where there are none, or in a dry run.

    Called right before they are deleted: raises StoreError where that cannot be recorded, and then they must stay.
    """
    if dry_run:
        return
    for batch in batched(gone, _AT_MOST):
        reasons: dict[str, list[str]] = {}
        for id, reason in batch:
            reasons.setdefault(reason, []).append(id)
        append(
            environment,
            Act(
                "deleted",
                f"{len(batch)} {kind}" if len(batch) > 1 else batch[0][0],
                {"kind": kind, "because": {reason: list(ids) for reason, ids in reasons.items()}},
                once=_once(environment, kind, batch),
                since=environment.actor.since,
            ),
        )


def _once(environment: Environment, kind: str, batch: Iterable[Gone]) -> str | None:
    """A task that was killed behind the record finds the same things due, and is about to do what is recorded."""
    run = environment.actor.run
    if run is None:
        return None
    ids = hashlib.sha256("\n".join(id for id, _ in batch).encode()).hexdigest()[:16]
    return f"{run} deleted {kind} {ids}"
