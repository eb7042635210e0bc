"""What streamers say of themselves and their source: signed, beside the WAL, only the newest kept."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from holdfast.catalog.drafts import read_draft, write_draft
from holdfast.catalog.marks import said
from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import IntegrityError, PermanentError, StoreRefused
from holdfast.manifest.wal import WalStatus
from holdfast.storage.protocol import Store, StoredObject
from holdfast.values.keys import EnvironmentKeys

STATUSES_KEPT = 3
STATUSES_KEPT_FOR = timedelta(days=1)
_NAME = re.compile(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{6}\.json")
# What others have put there must not cost more and more.
_MOST_READ = 5


@dataclass(frozen=True, slots=True)
class KnownStatus:
    """A status, and when the store says that it was written."""

    status: WalStatus
    written_at: datetime


@dataclass(frozen=True, slots=True)
class WalStatusCatalog:
    """What streamers have said of the WAL of one environment in one store."""

    store: Store
    keys: EnvironmentKeys

    def write(self, status: WalStatus, signer: Signer) -> None:
        """Store a status under its name, create-only."""
        write_draft(self.store, self.keys.wal_status(status.system_identifier, status.name), status, signer)

    def names(self, system_identifier: str) -> list[str]:
        """The names of all that are there, sorted."""
        return [_name(stored) for stored in self._stored(system_identifier, "")]

    def expendable(self, system_identifier: str) -> list[StoredObject]:
        """All but the last ones."""
        stored = sorted(self._stored(system_identifier, ""), key=lambda one: (one.modified_at, one.key))
        return stored[:-STATUSES_KEPT]

    def delete(self, system_identifier: str, name: str) -> None:
        """Remove one; one that is gone already is no error."""
        self.store.delete(self.keys.wal_status(system_identifier, name))

    def newest(
        self, system_identifier: str, verifier: Verifier, now: datetime
    ) -> tuple[KnownStatus | None, tuple[str, ...]]:
        """(the last status that can be trusted, None where there is none; what is wrong with later ones).

        The store's clock tells which is the last. Raises StoreError and StoreRefused.
        """
        # Where locks keep them all, a year's are half a million: those of before yesterday are seldom of use.
        recent = list(self._stored(system_identifier, f"{now.astimezone(UTC) - STATUSES_KEPT_FOR:%Y%m%dT%H%M%S}"))
        stored = recent or list(self._stored(system_identifier, ""))
        stored.sort(key=lambda one: (one.modified_at, one.key), reverse=True)
        faults: list[str] = []
        for one in stored[:_MOST_READ]:
            try:
                status = self._read(one.key, verifier)
            except StoreRefused:
                raise
            except PermanentError as error:
                faults.append(said(error))
                continue
            if status is not None:
                return KnownStatus(status, one.modified_at), tuple(faults)
        return None, tuple(faults)

    def _stored(self, system_identifier: str, after: str) -> Iterator[StoredObject]:
        folder = self.keys.wal_status(system_identifier, "")
        for stored in self.store.list(folder, after=folder + after if after else ""):
            if _NAME.fullmatch(_name(stored)):
                yield stored

    def _read(self, key: str, verifier: Verifier) -> WalStatus | None:
        """A status; None where it is gone meanwhile."""
        status = read_draft(self.store, key, WalStatus, verifier)
        if status is None:
            return None
        place = self.keys.wal_status(status.system_identifier, status.name)
        if (status.app, status.environment, place) != (self.keys.app, self.keys.environment, key):
            raise IntegrityError(f"{key}: it is the status {status.name} of {status.app}/{status.environment}")
        return status


def status_name(at: datetime, distinct: str) -> str:
    """A name that sorts by time; ``distinct`` has six hexadecimal digits."""
    moment = at.astimezone(UTC)
    return f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03}Z-{distinct}.json"


def _name(stored: StoredObject) -> str:
    return stored.key.rpartition("/")[2]
