"""What an earlier process received and did not store: it may be all that is left of a server that is lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from holdfast.environment import Environment
from holdfast.streaming.ledger import Ledger
from holdfast.streaming.line import ShippingLine
from holdfast.streaming.marks import Marks
from holdfast.streaming.reception import Reception
from holdfast.streaming.shipping import Shipper
from holdfast.wal.spool import Intake, Spool

_LOOK_S = 0.5


def ship_leftovers(environment: Environment, spool: Spool, is_over: Callable[[], bool]) -> None:
    """Store it before anything else, with no need of the source; until ``is_over``, however long the store is away.

    Raises IntegrityError where the store has other content under a name, StoreError where it cannot be listed.
    """
    for intake in spool.leftovers():
        if _ship(environment, intake, is_over):
            intake.remove()


def _ship(environment: Environment, intake: Intake, is_over: Callable[[], bool]) -> bool:
    if not (intake.segments() or intake.open_segments()):
        return True
    ledger = Ledger(environment.wal_catalog, intake.system_identifier, environment.signer().verifier())
    line = ShippingLine(Shipper(environment, ledger, Marks()))
    try:
        reception = Reception(intake, line)
        with suppress(OSError):
            reception.take_whole()
            reception.take_open(lambda: None)
        while not line.drain(_LOOK_S):
            if line.error is not None:
                raise line.error
            if is_over():
                return False
        return True
    finally:
        line.end()
