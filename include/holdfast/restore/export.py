"""Fetches one table of a compliance export as CSV, proving its bytes on the way."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import DecryptError, IntegrityError, ObjectMissing, UsageError
from holdfast.manifest.exports import ExportedTable, ExportManifest
from holdfast.postgres.outer_zstd import decompressed
from holdfast.postgres.tablenames import TableName, parse_name
from holdfast.progress import Progress, Silent
from holdfast.storage.tally import Tally
from holdfast.values.ids import RestorePointId

_SILENT = Silent()


def fetch_export(
    environment: Environment, id: RestorePointId, table: str, *, progress: Progress = _SILENT
) -> Iterator[bytes]:
    """The CSV of one table of an export, whose hash is only proven at the normal end.

    Raises ObjectMissing for an export or object that is not there, UsageError for a table that it does not
    hold, SignatureError, DecryptError or IntegrityError where it cannot be trusted.
    """
    manifest = environment.export_catalog.manifest(id, environment.verifier())
    exported = _find(environment, manifest, table)
    environment.demand_identities()
    progress.begin(f"fetch {exported.object}", exported.bytes)
    return _plaintext(environment, id, exported, progress)


def _find(environment: Environment, manifest: ExportManifest, text: str) -> ExportedTable:
    wanted = parse_name(text)
    tables = {TableName(table.schema_name, table.name): table for table in manifest.tables}
    found = [name for name in tables if wanted.fits(name)] or [name for name in tables if wanted.fits_loosely(name)]
    if len(found) != 1:
        raise UsageError(
            f"table {text}: {'several' if found else 'none'} of export {environment.title}/{manifest.id} fit",
            hint=f"It has: {', '.join(map(str, tables))}.",
        )
    return tables[found[0]]


def _plaintext(
    environment: Environment, id: RestorePointId, table: ExportedTable, progress: Progress
) -> Iterator[bytes]:
    """Damaged bytes are the cause wherever they are found; only sound ones speak of a wrong key."""
    title = f"export {environment.title}/{id}: {table.object}"
    tally = Tally(progress.advance)
    stored = tally.over(environment.store.stream(environment.keys.export(id, table.object)))
    try:
        yield from decompressed(age.decrypt(stored, environment.demand_identities()))
    except ObjectMissing as error:
        raise ObjectMissing(f"{title} is missing in {environment.store.url}") from error
    except (DecryptError, IntegrityError) as error:
        for _ in stored:
            pass
        _demand_recorded(title, table, tally)
        raise type(error)(f"{title}: {error.message}", hint=error.hint) from error
    _demand_recorded(title, table, tally)


def _demand_recorded(title: str, table: ExportedTable, tally: Tally) -> None:
    hint = "It was damaged or replaced in the store: use another export."
    if tally.bytes != table.bytes:
        raise IntegrityError(f"{title} has {tally.bytes} bytes instead of {table.bytes}", hint=hint)
    if tally.sha256 != table.sha256:
        raise IntegrityError(f"{title}: sha256 mismatch", hint=hint)
