"""Delivers a message to every address of a connection, tries again for a moment, and says what did not arrive."""

from __future__ import annotations

import time
from collections.abc import Collection
from functools import partial

import apprise

from holdfast.alerting.addresses import FORM, Address, addresses
from holdfast.alerting.bounded import within
from holdfast.alerting.hushing import hushed
from holdfast.alerting.message import DeliveryError, Message
from holdfast.values.connection import Connection

WITHIN_S = 18.0
_PAUSES_S = (0.5, 2.0)
_KINDS = {
    "page": apprise.NotifyType.FAILURE,
    "notify": apprise.NotifyType.WARNING,
    "resolved": apprise.NotifyType.SUCCESS,
    "test": apprise.NotifyType.INFO,
}


def deliver(
    connection: Connection,
    tag: str | None,
    message: Message,
    *,
    only: Collection[str] | None = None,
    within_s: float = WITHIN_S,
) -> tuple[str, ...]:
    """Tell every address of the connection that has the tag, side by side; returns their names.

    ``only``: names of those that are still owed the message, as a DeliveryError has told them. Raises DeliveryError
    where one of them, or nobody at all, was told, and UsageError where the connection holds no addresses. Takes
    ``within_s`` seconds at most. Neither error nor log ever shows an address's URL.
    """
    found = addresses(connection, tag)
    # Where the connection was changed meanwhile, nobody of them may be left: then everybody is told.
    owed = [address for address in found if only is None or address.name in only] or list(found)
    if not owed:
        tagged = f" with the tag {tag}" if tag is not None else ""
        raise DeliveryError(f"connection {connection.conn_id}: has no address{tagged}, so nobody was told", hint=FORM)
    deadline = time.monotonic() + within_s
    fitted = message.fitted()
    told = within(within_s, [partial(_tell, address, fitted, deadline) for address in owed])
    return _judged(connection, owed, [answer if answer is not None else "no answer in time" for answer in told])


def _judged(connection: Connection, owed: list[Address], answers: list[str]) -> tuple[str, ...]:
    delivered = tuple(address.name for address, answer in zip(owed, answers, strict=True) if not answer)
    failed = [(address.name, answer) for address, answer in zip(owed, answers, strict=True) if answer]
    if not failed:
        return delivered
    said = "; ".join(f"{name}: {answer}" for name, answer in failed)
    reached = f"; delivered to {', '.join(delivered)}" if delivered else ""
    raise DeliveryError(
        f"connection {connection.conn_id}: {said}{reached}",
        hint="`holdfast alerts test POLICY ENV` sends a message to try it.",
        delivered=delivered,
        failed=tuple(name for name, _ in failed),
    )


def _tell(address: Address, message: Message, deadline: float) -> str:
    """Why it did not arrive; empty where it did."""
    service = address.service
    if service is None:
        return "is not a URL that Apprise understands"
    _fit(service, message)
    answer = ""
    for pause_s in (*_PAUSES_S, None):
        with hushed() as overheard:
            try:
                is_told = service.notify(
                    body=message.body,
                    title=message.title,
                    notify_type=_KINDS[message.kind],
                    body_format=apprise.NotifyFormat.TEXT,
                )
            except Exception:
                # A plugin may raise anything, and say its URL in it.
                is_told = False
        if is_told:
            return ""
        answer = f"answered {overheard.status}" if overheard.status else "did not take it"
        if pause_s is None or time.monotonic() + pause_s > deadline:
            break
        time.sleep(pause_s)
    return answer


def _fit(service: apprise.NotifyBase, message: Message) -> None:
    """What is too long for a service is cut at its end, and what is resolved opens no new incident."""
    service.overflow_mode = apprise.OverflowMode.TRUNCATE
    if hasattr(service, "dedup") and getattr(service, "action", None) in ("trigger", "map"):
        # PagerDuty: by default "resolved" would open an incident, too.
        vars(service).update(action="map", dedup=service.dedup or message.thread)
