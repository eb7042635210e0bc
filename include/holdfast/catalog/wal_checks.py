"""What checks of stored WAL have found whole, and what not: signed, beside the WAL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.catalog.drafts import read_draft, write_draft
from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import IntegrityError
from holdfast.manifest.wal import WalCheck
from holdfast.storage.protocol import Store
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import EnvironmentKeys

_ENDING = ".json"
_SAME = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class KnownCheck:
    """A check, and when the store says that it was written."""

    check: WalCheck
    written_at: datetime


@dataclass(frozen=True, slots=True)
class WalCheckCatalog:
    """The checks of the WAL of one environment in one store."""

    store: Store
    keys: EnvironmentKeys

    def newest(self, system_identifier: str, verifier: Verifier) -> KnownCheck | None:
        """The last check of one cluster's WAL; raises SignatureError or IntegrityError.

        Whose clock is wrong does not matter: the store's tells. Of those of one second, the checks themselves say.
        """
        prefix = f"{self.keys.wal_of(system_identifier)}checks/"
        stored = [one for one in self.store.list(prefix) if _id(one.key[len(prefix) :]) is not None]
        if not stored:
            return None
        last = max(one.modified_at for one in stored)
        late = [one for one in stored if last - one.modified_at < _SAME]
        found = [KnownCheck(check, one.modified_at) for one in late if (check := self._read(one.key, verifier))]
        return max(found, key=lambda known: known.check.checked_at, default=None)

    def _read(self, key: str, verifier: Verifier) -> WalCheck | None:
        """A check; None where it is gone meanwhile."""
        check = read_draft(self.store, key, WalCheck, verifier)
        if check is None:
            return None
        place = self.keys.wal_check(check.system_identifier, RestorePointId.parse(check.id))
        if (check.app, check.environment, place) != (self.keys.app, self.keys.environment, key):
            raise IntegrityError(f"{key}: it is the check {check.id} of {check.app}/{check.environment}")
        return check

    def write(self, check: WalCheck, signer: Signer) -> None:
        """Store what a check has found."""
        key = self.keys.wal_check(check.system_identifier, RestorePointId.parse(check.id))
        write_draft(self.store, key, check, signer)


def _id(name: str) -> RestorePointId | None:
    return RestorePointId.recognised(name.removesuffix(_ENDING)) if name.endswith(_ENDING) else None
