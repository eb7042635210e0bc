"""Makes small committed restore points by the real writers, for tests that need many without a database."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from holdfast.catalog import Catalog, write_signed
from holdfast.crypto.signing import Signer
from holdfast.manifest.model import Artifact, DatabaseBackup, Manifest, SourceFacts, Table, Verification
from holdfast.values.ids import RestorePointId

CONTENT = b"x" * 64


def make_manifest(id: RestorePointId) -> Manifest:
    """A manifest of one table of 42 rows, whose only artifact holds ``CONTENT``."""
    source = SourceFacts(
        server_version="18.6",
        server_version_num=180006,
        system_identifier="7430000000000000000",
        database="shop",
        lsn="0/1000000",
        in_recovery=False,
        snapshot_at=id.opened_at,
        encoding="UTF8",
        collate="C",
        ctype="C",
        locale_provider="libc",
        locale=None,
        database_bytes=1,
        tables=(Table(schema_name="public", name="orders", oid=16384, rows=42),),
        sequences=(),
        extensions=(),
        roles=(),
    )
    artifact = Artifact(
        name="database.dump.age",
        content="database",
        format="custom",
        bytes=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        recipients=("age1x",),
    )
    return Manifest(
        id=str(id),
        app="shop",
        environment="production",
        tier=id.tier,
        label=None,
        opened_at=id.opened_at,
        holdfast_version="0.1.0",
        artifacts=(artifact,),
        database=DatabaseBackup(
            client_version="18.6",
            compression="zstd:1",
            started_at=id.opened_at,
            finished_at=id.opened_at + timedelta(seconds=1),
            source=source,
        ),
        verification=Verification(
            verified_at=id.opened_at, decrypted=True, listed_tables=1, archive_format="1.16", seconds=0.1
        ),
    )


def store_point(catalog: Catalog, signer: Signer, opened_at: datetime, tier: str = "nightly") -> RestorePointId:
    """Commit one restore point as a backup would."""
    id = RestorePointId.make(opened_at, tier, f"{tier} {opened_at}")
    manifest = make_manifest(id)
    catalog.store.put(catalog.keys.artifact(id, "database.dump.age"), [CONTENT])
    write_signed(catalog.store, catalog.keys.manifest(id), catalog.keys.signature(id), manifest.encode(), signer)
    return id
