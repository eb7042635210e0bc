"""Restore checks: signed records, beside a restore point's manifest, that it was restored for real and compared."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from holdfast.catalog.catalog import Catalog, Entry
from holdfast.catalog.malformed import malformed
from holdfast.catalog.signed import read_signed, write_signed
from holdfast.crypto.signing import Signer, Verifier
from holdfast.errors import IntegrityError, ObjectMissing, PermanentError, StoreRefused
from holdfast.manifest.model import Record
from holdfast.values.ids import RestorePointId

_BEGINNING, _ENDING, _SIGNATURE = "restore-check-", ".json", ".sig"


class RestoreCheck(Record):
    """What came of one restore; ``faults`` says what was not as the manifest promises, and is empty when it passed.

    ``check`` is the id under which its evidence lies, ``evidence_sha256`` that of its ``evidence.json``.
    """

    format: Literal["holdfast-restore-check/1"] = "holdfast-restore-check/1"
    id: str
    app: str
    environment: str
    check: str
    checked_at: datetime
    passed: bool
    faults: tuple[str, ...] = ()
    restore_seconds: float | None
    rto_seconds: float | None
    evidence_sha256: str


def record_key(catalog: Catalog, id: RestorePointId, check: RestorePointId, ending: str = _ENDING) -> str:
    """Where the record of one check of a restore point lies, or with ``.sig`` its signature."""
    return catalog.keys.artifact(id, f"{_BEGINNING}{str(check).lower()}{ending}")


def write_restore_check(catalog: Catalog, check: RestoreCheck, signer: Signer) -> str:
    """Store the record of a check create-only, and return its key; writing the same again is no error.

    Raises ObjectMissing where the restore point has expired meanwhile, and IntegrityError where the same check has
    left another record.
    """
    id, by = RestorePointId.parse(check.id), RestorePointId.parse(check.check)
    if not catalog.entry(id).is_committed:
        raise ObjectMissing(f"restore point {catalog.keys.root}{id}: it is gone, so its restore check is not recorded")
    key = record_key(catalog, id, by)
    write_signed(catalog.store, key, record_key(catalog, id, by, _SIGNATURE), check.encode(), signer)
    return key


def read_restore_check(
    catalog: Catalog, id: RestorePointId, verifier: Verifier, entry: Entry | None = None
) -> RestoreCheck | None:
    """The newest restore check of one restore point, which decides; None while there is none.

    ``entry``: what lies below the restore point, where it was listed already. Raises SignatureError where the
    newest record's signature is missing or does not fit, and IntegrityError where it is malformed or another's: who
    can only write to the store cannot make a check pass.
    """
    due = checks_of(entry or catalog.entry(id))
    newest = [_read(catalog, id, check, verifier) for check in due if check.opened_at == due[0].opened_at]
    return max(newest, key=_by_end, default=None)


def genuine_restore_check(catalog: Catalog, entry: Entry, verifier: Verifier) -> tuple[RestoreCheck | None, bool]:
    """The newest restore check whose record can be trusted, and whether a newer one stands there that cannot.

    One that was slipped in takes nothing from the others; one that was spoilt leaves them disputed.
    """
    is_disputed = False
    for check in checks_of(entry):
        try:
            return _read(catalog, entry.id, check, verifier), is_disputed
        except StoreRefused:
            raise
        except PermanentError:
            is_disputed = True
    return None, is_disputed


def checks_of(entry: Entry) -> list[RestorePointId]:
    """The ids of a restore point's checks as its listing shows them, newest first.

    No record is newer than the moment when the store received it: a host whose clock was once ahead does not have
    the last word for ever.
    """
    found: list[tuple[datetime, RestorePointId]] = []
    for name, stored in entry.objects.items():
        if name.startswith(_BEGINNING) and name.endswith(_ENDING):
            check = _parsed(name[len(_BEGINNING) : -len(_ENDING)])
            if check is not None:
                found.append((min(check.opened_at, stored.modified_at), check))
    return [check for _, check in sorted(found, reverse=True)]


def _parsed(text: str) -> RestorePointId | None:
    """An id as it stands in a name, its ``T`` and ``Z`` in lower case like all of a name."""
    moment, dash, rest = text.partition("-")
    return RestorePointId.recognised(moment.upper() + dash + rest)


def _read(catalog: Catalog, id: RestorePointId, by: RestorePointId, verifier: Verifier) -> RestoreCheck:
    key = record_key(catalog, id, by)
    document = read_signed(catalog.store, key, record_key(catalog, id, by, _SIGNATURE), verifier)
    try:
        check = RestoreCheck.model_validate_json(document)
    except ValidationError as error:
        raise malformed(key, error) from error
    said = (check.app, check.environment, check.id, check.check)
    if said != (catalog.keys.app, catalog.keys.environment, str(id), str(by)):
        raise IntegrityError(
            f"{key}: it is the restore check of {check.app}/{check.environment}/{check.id} by {check.check}",
            hint="Someone copied it there: that check of this restore point did not take place.",
        )
    return check


def _by_end(check: RestoreCheck) -> datetime:
    return check.checked_at
