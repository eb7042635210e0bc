"""Appends to the audit trail: whoever loses the race for a number chains on to the winner, so nothing forks."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from datetime import UTC, timedelta
from itertools import chain
from typing import TYPE_CHECKING

from holdfast.audit.records import Act, Anchor, AuditRecord, digest
from holdfast.audit.trail import FIRST_MONTH, Link, Stored, Trail, link, parsed
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, StoreError, UsageError
from holdfast.values.visible import visible

if TYPE_CHECKING:
    from pydantic import JsonValue

_TRIES = 1000
_LAST_NUMBER = 9_999_999_999
_LOOKED_AT = 100
_CLOCKS_DIFFER = timedelta(hours=1)
_LONGEST = 500


def append(environment: Environment, act: Act) -> Anchor:
    """Record an act; returns where it stands, so that the caller may note that down.

    An act with ``once`` that is recorded already is not recorded again. A host without the signing key records
    unsigned, which verifying tells. Raises StoreError where the store does not take it: what was to be done after it
    must then not be done.
    """
    trail = Trail(environment)
    signer = _signer(environment)
    documents = trail.documents()
    head = next(documents, None)
    standing = _standing(head, documents, act)
    if standing is not None:
        return standing
    following = (FIRST_MONTH, 1, "") if head is None else _after(link(*head))
    for _ in range(_TRIES):
        month, number, previous = following
        if number > _LAST_NUMBER:
            raise IntegrityError(
                f"{environment.keys.audit}: holds a record of the highest number that there can be",
                hint="Somebody else put it there: `holdfast audit verify` names it.",
            )
        document = _record(environment, act, number, previous, signer).encode()
        if trail.write(month, number, document, signer.sign(document) if signer is not None else None):
            return Anchor(number, digest(document))
        rival = trail.document(month, number)
        if act.once is not None and _is_of(rival, act):
            return Anchor(number, digest(rival))
        following = _after(link(month, number, rival))
    raise StoreError(f"{environment.keys.audit}: {_TRIES} others appended first, nothing was recorded")


def _after(before: Link) -> tuple[str, int, str]:
    return before.next_month, before.number + 1, before.sha256


def _record(environment: Environment, act: Act, number: int, previous: str, signer: Signer | None) -> AuditRecord:
    actor = environment.actor
    return AuditRecord(
        app=environment.app,
        environment=environment.name,
        number=number,
        previous=previous,
        at=environment.clock().astimezone(UTC),
        action=act.action,
        who=visible(act.who if act.who is not None else actor.who)[:_LONGEST],
        via=act.via or actor.via,
        host=socket.gethostname(),
        run=actor.run,
        subject=visible(act.subject)[:_LONGEST],
        details={name: _spelled(value) for name, value in act.details.items()},
        once=act.once,
        signed_by=signer.verifier().key_id if signer is not None else None,
    )


def _spelled(value: JsonValue) -> JsonValue:
    """Names of files need not be text, and are to steer no terminal whatever reads the record."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [_spelled(each) for each in value]
    return value


def _standing(head: Stored | None, older: Iterable[Stored], act: Act) -> Anchor | None:
    """Where the act is recorded already, by the try of the task that was killed after it."""
    if act.once is None or head is None:
        return None
    for looked_at, (_, number, document) in enumerate(chain([head], older)):
        if _is_of(document, act):
            return Anchor(number, digest(document))
        record = parsed(document)
        if act.since is None:
            if looked_at >= _LOOKED_AT:
                break
        elif record is not None and record.at < act.since - _CLOCKS_DIFFER:
            break
    return None


def _is_of(document: bytes, act: Act) -> bool:
    record = parsed(document)
    return record is not None and record.once == act.once


def _signer(environment: Environment) -> Signer | None:
    """The signing key, None on a host that has none or must not read it: what it does is recorded all the same."""
    try:
        return environment.signer()
    except UsageError:
        return None
