"""Makes small committed restore points by the real writers, for tests that need many without a database."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from holdfast.catalog import Catalog, write_signed
from holdfast.catalog.restore_checks import RestoreCheck, write_restore_check
from holdfast.crypto.age import Recipient, encrypt
from holdfast.crypto.signing import Signer
from holdfast.manifest.model import Artifact, DatabaseBackup, Manifest, MediaFacts, SourceFacts, Table, Verification
from holdfast.values.ids import RestorePointId

CONTENT = b"x" * 64


def make_manifest(id: RestorePointId, media: MediaFacts | None = None, content: bytes = CONTENT) -> Manifest:
    """A manifest of one table of 42 rows, whose only artifact holds ``content``."""
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
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
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
        media=media,
        verification=Verification(
            verified_at=id.opened_at, decrypted=True, listed_tables=1, archive_format="1.16", seconds=0.1
        ),
    )


def media_of(catalog: Catalog, id: RestorePointId) -> MediaFacts:
    """What a restore point's manifest says of the media snapshot of the same id, which must stand."""
    return MediaFacts(
        snapshot=str(id),
        manifest_sha256=hashlib.sha256(catalog.store.get(catalog.keys.media_manifest(id))).hexdigest(),
        started_at=id.opened_at,
        finished_at=id.opened_at,
        files=1,
        bytes=1,
        vanished=0,
        unstable=0,
        references=None,
    )


def store_point(
    catalog: Catalog,
    signer: Signer,
    opened_at: datetime,
    tier: str = "nightly",
    *,
    has_media: bool = False,
    recipients: Sequence[Recipient] = (),
) -> RestorePointId:
    """Commit one restore point as a backup would; with ``has_media``, its media snapshot must stand already.

    Its artifact is an age file for the ``recipients``; without any, it is none at all.
    """
    id = RestorePointId.make(opened_at, tier, f"{tier} {opened_at}")
    content = b"".join(encrypt([CONTENT], recipients)) if recipients else CONTENT
    manifest = make_manifest(id, media_of(catalog, id) if has_media else None, content)
    catalog.store.put(catalog.keys.artifact(id, "database.dump.age"), [content])
    write_signed(catalog.store, catalog.keys.manifest(id), catalog.keys.signature(id), manifest.encode(), signer)
    return id


def make_check(id: RestorePointId, checked_at: datetime, *, passed: bool = True) -> RestoreCheck:
    """The record of a restore check of ``id``, which began when it ended."""
    return RestoreCheck(
        id=str(id),
        app="shop",
        environment="production",
        check=str(RestorePointId.make(checked_at, "restore_check", f"check {checked_at}")),
        checked_at=checked_at,
        passed=passed,
        faults=() if passed else ("table public.orders: 41 rows instead of 42",),
        restore_seconds=1.5,
        rto_seconds=3600,
        evidence_sha256="0" * 64,
    )


def store_check(
    catalog: Catalog, signer: Signer, id: RestorePointId, checked_at: datetime, *, passed: bool = True
) -> str:
    """Leave the signed record of a restore check as a check would; returns its key."""
    return write_restore_check(catalog, make_check(id, checked_at, passed=passed), signer)
