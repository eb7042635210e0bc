"""A store with very many restore points, written with the engine's own writers from chosen facts."""

from __future__ import annotations

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Literal

import holdfast
from bench.engine import APP
from bench.place import Place
from bench.policy import MANY
from bench.watch import Watch
from holdfast.catalog import write_signed
from holdfast.crypto.signing import Signer
from holdfast.manifest.model import Artifact, DatabaseBackup, Manifest, SourceFacts, Table, Verification
from holdfast.storage.local import LocalStore
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import EnvironmentKeys

_TABLES = 20
_WRITERS = 16
_FIRST = datetime(2020, 1, 1, 2, tzinfo=UTC)
_KEYS = EnvironmentKeys(APP, MANY)


def ensure_many(place: Place, count: int, watch: Watch) -> None:
    """Write ``count`` restore points unless a finished store of as many stands."""
    finished = place.many.with_name("many.finished")
    if finished.exists() and finished.read_text() == str(count):
        return
    shutil.rmtree(place.many)
    store, signer = LocalStore(place.many), Signer.load(place.keys / "signing.pem")

    def write(number: int) -> None:
        id = RestorePointId.make(_FIRST + number * timedelta(hours=6), "nightly", f"run {number}")
        artifacts = tuple(_put(store, id, content) for content in ("database", "globals"))
        manifest = manifest_of(id, number, artifacts)
        write_signed(store, _KEYS.manifest(id), _KEYS.signature(id), manifest.encode(), signer)

    with watch.doing(f"writing {count} restore points, once"), ThreadPoolExecutor(_WRITERS) as writers:
        for number, _ in enumerate(writers.map(write, range(count)), 1):
            if number % 100 == 0:
                watch.told(f"{number} of {count}")
    finished.write_text(str(count))


def _put(store: LocalStore, id: RestorePointId, content: Literal["database", "globals"]) -> Artifact:
    name = "database.dump.age" if content == "database" else "globals.sql.age"
    data = f"{content} of {id}".encode() * 20
    return Artifact(
        name=name,
        content=content,
        format="custom" if content == "database" else "sql",
        bytes=store.put(_KEYS.artifact(id, name), [data]),
        sha256=hashlib.sha256(data).hexdigest(),
        recipients=("age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj",),
    )


def manifest_of(
    id: RestorePointId,
    number: int,
    artifacts: tuple[Artifact, ...],
    *,
    app: str = APP,
    environment: str = MANY,
    tables: int = _TABLES,
) -> Manifest:
    """A manifest of chosen facts, a little different for each ``number``."""
    return Manifest(
        id=str(id),
        app=app,
        environment=environment,
        tier=id.tier,
        label=None,
        opened_at=id.opened_at,
        holdfast_version=holdfast.__version__,
        artifacts=artifacts,
        database=DatabaseBackup(
            client_version="18.6",
            compression="zstd:1",
            started_at=id.opened_at,
            finished_at=id.opened_at + timedelta(seconds=4),
            source=_source(id, number, tables),
        ),
        verification=Verification(
            verified_at=id.opened_at + timedelta(seconds=5),
            decrypted=True,
            listed_tables=tables,
            archive_format="1.16",
            seconds=0.4,
        ),
    )


def _source(id: RestorePointId, number: int, count: int) -> SourceFacts:
    tables = tuple(
        Table(schema_name="public", name=f"table_{place}", oid=16_384 + place, rows=1_000 * place + number)
        for place in range(count)
    )
    return SourceFacts(
        server_version="18.6",
        server_version_num=180_006,
        system_identifier="7440000000000000001",
        database="reference",
        lsn=f"0/{number:X}000000"[:18],
        in_recovery=False,
        snapshot_at=id.opened_at,
        encoding="UTF8",
        collate="C.UTF-8",
        ctype="C.UTF-8",
        locale_provider="libc",
        locale=None,
        database_bytes=1_350_000_000,
        tables=tables,
        sequences=(),
        extensions=(),
        roles=("app", "backup"),
    )
