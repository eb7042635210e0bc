"""One reading of one environment: the keys at hand, and what went wrong so far, gathered instead of raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from holdfast.crypto.age import Identity
from holdfast.crypto.signing import Verifier
from holdfast.environment import Environment
from holdfast.errors import DecryptError, HoldfastError, IntegrityError, SignatureError, StoreError, StoreRefused
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import FaultyPoint, Trouble

CLOCKS_DIFFER = timedelta(hours=1)
_READERS = 8
_KINDS = (
    (SignatureError, "signature_mismatch"),
    (IntegrityError, "signature_mismatch"),
    (DecryptError, "not_decryptable"),
)
# A store that is down takes half a minute for each question: two are enough to be sure.
_MOST_FAILURES = 2


@dataclass(slots=True)
class Reading:
    """What all parts of a reading share. ``verifier`` is None where nothing can be trusted on this host.

    ``identities`` are those that open backups, empty where this host has none, by design or by a fault that was told;
    ``is_fitting``: whether they open what is encrypted to the policy's recipients.
    """

    environment: Environment
    now: datetime
    verifier: Verifier | None = None
    identities: tuple[Identity, ...] = ()
    is_fitting: bool = True
    troubles: dict[tuple[str, str], Trouble] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failures: int = 0

    def part[Result](self, name: str, read: Callable[[], Result], otherwise: Result) -> Result:
        """What ``read`` gives; ``otherwise`` where the store fails, which becomes a trouble."""
        if self.failures >= _MOST_FAILURES:
            return otherwise
        try:
            return read()
        except (StoreError, StoreRefused) as error:
            self.failures += 1
            self.tell(Trouble(kind="store_unreachable", subject="store", text=error.message, hint=error.hint))
        except HoldfastError as error:
            kind = next((kind for sort, kind in _KINDS if isinstance(error, sort)), "store_unreachable")
            said = {"kind": kind, "subject": name, "text": error.message, "hint": error.hint}
            self.tell(Trouble.model_validate(said))
        except OSError as error:
            self.tell(Trouble(kind="store_unreachable", subject=name, text=(error.strerror or str(error)).lower()))
        return otherwise

    def tell(self, trouble: Trouble) -> None:
        """Remember a trouble; the first one of its kind and subject is enough."""
        self.troubles.setdefault((trouble.kind, trouble.subject), trouble)

    def each[Item, Result](self, read: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """``read`` of all items, in their order; of a bucket side by side, for there it is the way that takes time."""
        todo = list(items)
        if len(todo) < 2 or self.environment.store.url.startswith("file:"):
            return [read(item) for item in todo]
        with ThreadPoolExecutor(min(_READERS, len(todo))) as readers:
            return list(readers.map(read, todo))


def fault(id: RestorePointId, kind: str, text: str) -> FaultyPoint:
    """What is wrong with one point, or with evidence."""
    said = {"id": str(id), "tier": id.tier, "opened_at": id.opened_at, "kind": kind, "text": text}
    return FaultyPoint.model_validate(said)


def newest_first(ids: Iterable[RestorePointId], now: datetime) -> list[RestorePointId]:
    """Those of a clock that was ahead come last: else they would be the newest for years."""
    limit = now + CLOCKS_DIFFER
    # Spelled out: the ids' own order takes three times as long.
    return sorted(ids, key=lambda one: (one.opened_at <= limit, one.opened_at, one.tier, one.suffix), reverse=True)
