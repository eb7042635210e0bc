"""Stores a running cluster's WAL as the streamer does, by copying its files: for tests of what reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import zstandard

from fix_postgres import rows
from holdfast.catalog.wal import WalPiece
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.manifest.wal import WalMark, WalRecord
from holdfast.recovery.cluster import Cluster
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment, is_segment_name, parse_history_name


def mark(cluster: Cluster, number: int) -> WalMark:
    """Write a marker as the streamer does, and tell where it lies."""
    before = rows(cluster.url(), "SELECT clock_timestamp()")[0][0]
    rows(cluster.url(), "SELECT 1")
    from fix_postgres import execute

    execute(cluster.url(), f"ALTER ROLE CURRENT_USER SET holdfast.marker = '{number} {before.isoformat()}'")  # type: ignore[attr-defined]
    after, lsn = rows(cluster.url(), "SELECT clock_timestamp(), pg_current_wal_insert_lsn()::text")[0]
    return WalMark(number=number, at=before, seen_at=after, lsn=str(lsn))  # type: ignore[arg-type]


def store_wal(environment: Environment, cluster: Cluster, marks: Iterable[WalMark] = ()) -> list[str]:
    """Store every segment, the open one's beginning and the history files; returns the names of what is new."""
    system, size, version, lsn = rows(
        cluster.url(),
        "SELECT (SELECT system_identifier::text FROM pg_control_system()), "
        "(SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'), "
        "current_setting('server_version_num')::int, pg_current_wal_flush_lsn()::text",
    )[0]
    end = Lsn.parse(str(lsn))
    name = str(rows(cluster.url(), "SELECT left(pg_walfile_name(pg_current_wal_flush_lsn()), 8)")[0][0])
    present = WalSegment.at(int(name, 16), end, int(str(size)))
    known = {piece.name for piece in environment.wal_catalog.pieces(str(system)) if piece.is_stored}
    found: list[str] = []
    for path in sorted((cluster.data / "pg_wal").iterdir()):
        piece = _piece(str(system), path, present, end)
        if piece is None or piece.name in known:
            continue
        content = path.read_bytes()
        if piece.end is not None:
            content = content[: piece.end]
        put(environment, piece, content, int(str(size)), int(str(version)), marks)
        found.append(piece.name)
    return found


def put(
    environment: Environment, piece: WalPiece, content: bytes, size: int, version: int, marks: Iterable[WalMark] = ()
) -> None:
    """One piece with its record."""
    start = end = None
    if piece.kind != "history":
        start = WalSegment.parse(piece.file, size).start
        end = start + (size if piece.end is None else piece.end)
    own = [one for one in marks if start is not None and end is not None and start < Lsn.parse(one.lsn) <= end]
    record = WalRecord(
        kind=piece.kind,
        system_identifier=piece.system_identifier,
        timeline=piece.timeline,
        name=piece.name,
        segment_bytes=size,
        server_version_num=version,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        end_lsn=None if end is None else str(end),
        received_at=datetime.now(UTC),
        marks=tuple(own),
    )
    environment.wal_catalog.write_record(piece, record, environment.signer())
    squeezed = zstandard.ZstdCompressor(level=1, write_checksum=True).compress(content)
    environment.store.put(environment.wal_catalog.key(piece), age.encrypt([squeezed], environment.recipients()))


def _piece(system: str, path: Path, present: WalSegment, end: Lsn) -> WalPiece | None:
    if parse_history_name(path.name) is not None:
        return WalPiece.history(system, int(path.name[:8], 16))
    if not is_segment_name(path.name):
        return None
    segment = WalSegment.parse(path.name, present.size_bytes)
    if segment.timeline < present.timeline and segment.number >= present.number:
        return None
    if segment.number < present.number:
        return WalPiece.segment(system, path.name)
    if segment.number == present.number and end > segment.start:
        return WalPiece.partial(system, path.name, end - segment.start)
    return None
