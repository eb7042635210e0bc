"""The compliance export: chosen tables as encrypted CSV beside the dump, out of the very same snapshot."""

from __future__ import annotations

import re
from contextlib import closing
from dataclasses import dataclass

import holdfast
from holdfast.catalog import write_signed
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import IntegrityError
from holdfast.manifest.exports import ExportedTable, ExportManifest
from holdfast.manifest.model import SourceFacts
from holdfast.postgres.export import TableCopy, TableExport, plan_exports
from holdfast.postgres.outer_zstd import compressed
from holdfast.postgres.snapshot import ExportedSnapshot
from holdfast.progress import Progress
from holdfast.storage.tally import Tally
from holdfast.values import keys
from holdfast.values.ids import RestorePointId

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Export:
    """The tables that a restore point of this tier has to be exported with; often none."""

    environment: Environment
    id: RestorePointId
    snapshot: ExportedSnapshot
    tables: tuple[TableExport, ...]

    @classmethod
    def plan(cls, environment: Environment, id: RestorePointId, snapshot: ExportedSnapshot) -> Export:
        """Find and try the tables; raises UsageError or DatabaseError naming one that cannot be exported."""
        section = environment.policy.compliance_export
        names = section.tables if section is not None and id.tier in section.tiers else ()
        tables = plan_exports(snapshot, names, "compliance_export.tables") if names else ()
        return cls(environment, id, snapshot, tables)

    def store(self, facts: SourceFacts, progress: Progress) -> None:
        """Store every table, then the signed manifest, which makes the export exist.

        Raises IntegrityError where a table has other rows than were counted in the snapshot.
        """
        if not self.tables:
            return
        recipients = self.environment.recipients()
        stored = [self._store(number, table, facts, progress) for number, table in enumerate(self.tables, start=1)]
        manifest = ExportManifest(
            id=str(self.id),
            app=self.environment.app,
            environment=self.environment.name,
            tier=self.id.tier,
            holdfast_version=holdfast.__version__,
            server_version=facts.server_version,
            system_identifier=facts.system_identifier,
            database=facts.database,
            snapshot_at=facts.snapshot_at,
            recipients=tuple(map(str, recipients)),
            tables=tuple(stored),
        )
        at = self.environment.keys.export
        signer = self.environment.signer()
        document = manifest.encode()
        write_signed(self.environment.store, at(self.id, keys.MANIFEST), at(self.id, keys.SIGNATURE), document, signer)

    def _store(self, number: int, table: TableExport, facts: SourceFacts, progress: Progress) -> ExportedTable:
        progress.begin(f"export {table}")
        name = f"{number:03}-{_ODD.sub('_', str(table))[:80]}.csv.zst.age"
        copy = TableCopy(self.snapshot, table)
        tally = Tally(progress.advance)
        with closing(copy.pieces()) as pieces:
            sealed = tally.over(age.encrypt(compressed(pieces, _LEVEL), self.environment.recipients()))
            self.environment.store.put(self.environment.keys.export(self.id, name), sealed)
        counted = sum(each.rows for each in facts.tables if each.oid in table.parts)
        if copy.rows != counted:
            raise IntegrityError(
                f"export {self.environment.title}/{self.id}: table {table}: {copy.rows} rows instead of the {counted} "
                "of the snapshot"
            )
        progress.end(f"{counted} rows")
        return ExportedTable(
            schema_name=table.schema_name,
            name=table.name,
            columns=table.columns,
            rows=counted,
            object=name,
            bytes=tally.bytes,
            sha256=tally.sha256,
        )


def clear_export(environment: Environment, id: RestorePointId) -> None:
    """Remove what an earlier attempt of an uncommitted restore point has exported, its manifest first."""
    entry = environment.export_catalog.entry(id)
    for name in sorted(entry.objects, key=lambda name: (name != keys.MANIFEST, name)):
        environment.store.delete(environment.keys.export(id, name))
