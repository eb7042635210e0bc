"""The source of an environment's WAL: its control session, opened again with pauses whenever it breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from holdfast.environment import Environment
from holdfast.errors import DatabaseUnavailable, PermanentError
from holdfast.postgres.binaries import Client, client_for
from holdfast.postgres.conninfo import Target
from holdfast.postgres.pooler import require_direct
from holdfast.streaming.control import Control
from holdfast.streaming.ledger import Ledger
from holdfast.wal.server import WalSource, demand_identity
from holdfast.wal.slot import slot_name

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0
# A server that does not answer at all must not keep the streamer from ending.
_PATIENT = {"connect_timeout": "5", "tcp_user_timeout": "10000"}


class Pause:
    """Longer after each failure: when to try again."""

    def __init__(self) -> None:
        self._next_s, self._until = _FIRST_PAUSE_S, 0.0

    def fail(self) -> None:
        """Wait, and longer the next time."""
        self._until = time.monotonic() + self._next_s
        self._next_s = min(2 * self._next_s, _LONGEST_PAUSE_S)

    def reset(self) -> None:
        """It works."""
        self._next_s, self._until = _FIRST_PAUSE_S, 0.0

    def is_over(self) -> bool:
        """May it be tried now?"""
        return time.monotonic() >= self._until


class Source:
    """``control`` is None while the server is away; ``ledger`` is of the cluster that was found first."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._target = Target.from_connection(environment.database()).with_parameters(**_PATIENT)
        self._pause = Pause()
        self._ledger: Ledger | None = None
        self.slot = slot_name(environment.policy.wal, environment.app, environment.name)
        self.control: Control | None = None
        self.failure: DatabaseUnavailable | None = None

    @property
    def ledger(self) -> Ledger:
        """What the store has of the cluster's WAL."""
        assert self._ledger is not None
        return self._ledger

    def open(self) -> Control:
        """Connect for the first time; raises whatever stands against it."""
        require_direct(self._target)
        self.control = Control.open(self._target, self.slot, self._demand)
        return self.control

    def tend(self) -> None:
        """Connect again where the session broke, when it is time; raises what no further attempt would mend."""
        if self.control is None and self._pause.is_over():
            try:
                self.control = Control.open(self._target, self.slot, self._demand)
                self._pause.reset()
            except DatabaseUnavailable as error:
                self.failure = error
                self._pause.fail()

    def use[Answer](self, work: Callable[[Control], Answer]) -> Answer | None:
        """Work with the control session; None where there is none or it broke."""
        if self.control is None:
            return None
        try:
            return work(self.control)
        except DatabaseUnavailable as error:
            self.failure = error
            self.close()
            return None

    def client(self) -> Client:
        """The client whose pg_receivewal fits the server."""
        assert self.control is not None
        return client_for(self.control.source.server_version_num // 10_000)

    def close(self) -> None:
        """End the session."""
        if self.control is not None:
            self.control.close()
            self.control = None

    def _demand(self, found: WalSource) -> None:
        """Refuse another cluster than that whose WAL is in the store, or that which was streamed a moment ago."""
        wished = self._environment.policy.database.system_identifier
        if self._ledger is None:
            verifier = self._environment.signer().verifier()
            ledger = Ledger(self._environment.wal_catalog, found.system_identifier, verifier)
            known = set(_others(self._environment)) if ledger.is_empty and wished is None else {found.system_identifier}
            demand_identity(found, known, wished, self._environment.title)
            self._ledger = ledger
        elif found.system_identifier != self._ledger.system_identifier:
            raise PermanentError(
                f"{self._environment.title}: the server has the system identifier {found.system_identifier} now, "
                f"a moment ago it was {self._ledger.system_identifier}",
                hint="Another server answers at this address: find out which one is right.",
            )


def _others(environment: Environment) -> Iterator[str]:
    """The system identifiers of all that the store holds for point-in-time recovery."""
    for piece in environment.wal_catalog.pieces():
        yield piece.system_identifier
    catalog = environment.base_catalog
    for entry in catalog.entries():
        if entry.is_committed:
            yield catalog.manifest(entry.id, environment.verifier()).system_identifier
