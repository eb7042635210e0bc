"""The record of rows that an operation writes: stored, encrypted and signed, before anybody else can see them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Literal

from pydantic import ValidationError

from holdfast.catalog import read_signed, write_signed
from holdfast.catalog.malformed import malformed
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, ObjectMissing
from holdfast.manifest.model import Record
from holdfast.operation.rows.entries import Entry, parse_entries
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId

ROWS = "rows.jsonl.age"
_RECORD = "rows.json"
_SIGNATURE = "rows.sig"


class RowsRecord(Record):
    """What an operation wrote: how much, by which plan, and the hash of the rows as stored and as plaintext."""

    format: Literal["holdfast-rows/1"] = "holdfast-rows/1"
    app: str
    environment: str
    operation: str
    restore_point: str
    plan_sha256: str
    inserted: int
    overwritten: int
    deleted: int
    bytes: int
    sha256: str
    content_sha256: str


def store_rows(
    environment: Environment, operation: RestorePointId, entries: Sequence[Entry], *, point: str, plan_sha256: str
) -> RowsRecord:
    """Store the rows encrypted to the policy's recipients, and sign what was stored.

    A killed attempt's record of the very same is kept. Raises IntegrityError where the operation has one of others.
    """
    lines = [entry.line() for entry in entries]
    content = hashlib.sha256(b"".join(lines)).hexdigest()
    standing = find_record(environment, operation)
    if standing is not None:
        if standing.content_sha256 != content:
            raise IntegrityError(
                f"operation {environment.title}/{operation}: has a record of other rows than it would write now",
                hint="Nothing was changed. Begin a new operation.",
            )
        return standing
    keys, store = environment.keys, environment.store
    key = keys.evidence_object(operation, ROWS)
    store.delete(key)  # what nothing signed speaks of is a dead attempt's
    tally = Tally()
    store.put(key, tally.over(age.encrypt(lines, environment.recipients())))
    record = RowsRecord(
        app=environment.app,
        environment=environment.name,
        operation=str(operation),
        restore_point=point,
        plan_sha256=plan_sha256,
        inserted=sum(entry.action == "insert" for entry in entries),
        overwritten=sum(entry.action == "overwrite" for entry in entries),
        deleted=sum(entry.action == "delete" for entry in entries),
        bytes=tally.bytes,
        sha256=tally.sha256,
        content_sha256=content,
    )
    write_signed(store, *_keys(environment, operation), record.encode(), environment.signer())
    return record


def find_record(environment: Environment, operation: RestorePointId) -> RowsRecord | None:
    """What the operation recorded; None where it got nowhere. Raises SignatureError or IntegrityError."""
    key, signature_key = _keys(environment, operation)
    try:
        document = read_signed(environment.store, key, signature_key, environment.verifier())
    except ObjectMissing:
        return None
    try:
        record = RowsRecord.model_validate_json(document)
    except ValidationError as error:
        raise malformed(key, error) from error
    if (record.app, record.environment, record.operation) != (environment.app, environment.name, str(operation)):
        raise IntegrityError(f"{key}: it is the record of {record.app}/{record.environment}/{record.operation}")
    return record


def read_rows(environment: Environment, operation: RestorePointId, record: RowsRecord) -> tuple[Entry, ...]:
    """The recorded rows. Raises IntegrityError where they are not those that the record names."""
    key = environment.keys.evidence_object(operation, ROWS)
    stored = environment.store.get(key)
    if hashlib.sha256(stored).hexdigest() != record.sha256:
        raise IntegrityError(f"{key}: sha256 mismatch")
    plain = b"".join(age.decrypt([stored], environment.demand_identities()))
    return parse_entries(plain.split(b"\n"))


def _keys(environment: Environment, operation: RestorePointId) -> tuple[str, str]:
    keys = environment.keys
    return keys.evidence_object(operation, _RECORD), keys.evidence_object(operation, _SIGNATURE)
