"""Restore checks: the signed record, beside a restore point's manifest, that it was restored for real and compared."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from holdfast.catalog.catalog import Catalog
from holdfast.catalog.malformed import malformed
from holdfast.catalog.signed import read_signed
from holdfast.crypto.signing import Verifier
from holdfast.errors import IntegrityError, ObjectMissing
from holdfast.manifest.model import Record
from holdfast.values.ids import RestorePointId

RECORD = "restore-check.json"
SIGNATURE = "restore-check.sig"


class RestoreCheck(Record):
    """What came of one restore; ``faults`` says what was not as the manifest promises, and is empty when it passed."""

    format: Literal["holdfast-restore-check/1"] = "holdfast-restore-check/1"
    id: str
    app: str
    environment: str
    checked_at: datetime
    passed: bool
    faults: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The bytes that are signed and stored: UTF-8 JSON, two-space indents, a closing newline."""
        return self.model_dump_json(indent=2).encode() + b"\n"


def read_restore_check(catalog: Catalog, id: RestorePointId, verifier: Verifier) -> RestoreCheck | None:
    """The restore check of one restore point; None while there is none.

    Raises SignatureError where the signature is missing or does not fit, and IntegrityError where the record is
    malformed or another restore point's: who can only write to the store cannot make a check pass.
    """
    key = catalog.keys.artifact(id, RECORD)
    try:
        document = read_signed(catalog.store, key, catalog.keys.artifact(id, SIGNATURE), verifier)
    except ObjectMissing:
        return None
    try:
        check = RestoreCheck.model_validate_json(document)
    except ValidationError as error:
        raise malformed(key, error) from error
    if (check.app, check.environment, check.id) != (catalog.keys.app, catalog.keys.environment, str(id)):
        raise IntegrityError(
            f"{key}: it is the restore check of {check.app}/{check.environment}/{check.id}",
            hint="Someone copied it there: this restore point was not checked.",
        )
    return check
