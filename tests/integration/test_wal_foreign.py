"""Somebody can write to the bucket and nothing else: no WAL is lost, and no recovery misled, by what he puts there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fix_wal import MakeStreamed, Streamed
from holdfast.backup.base import take_base_backup
from holdfast.catalog import WalPiece
from holdfast.errors import IntegrityError
from holdfast.pitr import parse_target, plan_recovery, recover
from holdfast.recovery.cluster import Cluster
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from wal_truth import compare_with_server, stored_pieces


def forge(streamed: Streamed, like: WalPiece, name: str) -> Path:
    """Put copies of a piece and its record under another name; returns the piece's file."""
    catalog, folder = streamed.site.environment().wal_catalog, streamed.site.store_folder
    piece = WalPiece.named(like.system_identifier, name)
    assert piece is not None
    shutil.copy(folder / catalog.record_key(like), folder / catalog.record_key(piece))
    return Path(shutil.copy(folder / catalog.key(like), folder / catalog.key(piece)))


def after(piece: WalPiece, count: int) -> str:
    """The name of the segment ``count`` behind a piece's, of 1 MiB."""
    segment = WalSegment.parse(piece.file, 1 << 20)
    return WalSegment(segment.timeline, segment.number + count, 1 << 20).name


def test_a_forged_segment_is_not_taken_for_a_stored_one(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """The slot stays in front of it, and the run fails naming it, though the spool is gone."""
    streamed = make_streamed(wal18)
    streamed.write(10)
    streamed.switch()
    streamed.stream(2)
    whole = next(piece for piece in stored_pieces(streamed) if piece.kind == "segment")
    newest = max(stored_pieces(streamed), key=lambda piece: piece.file)
    name = after(newest, 1)
    forged = forge(streamed, whole, name)
    for _ in range(3):
        streamed.write(10)
        streamed.switch()
    with pytest.raises(IntegrityError, match=name):
        streamed.stream(10)
    assert Lsn.parse(str(streamed.slots()[0][0])) < WalSegment.parse(name, 1 << 20).end
    forged.unlink()
    (forged.parent / f"{name}.json").unlink()
    assert streamed.stream(3).gap is None
    assert name in streamed.segments()
    compare_with_server(streamed)


def test_an_object_that_nobody_recorded_is_not_taken_for_a_stored_one(
    wal18: Cluster, make_streamed: MakeStreamed
) -> None:
    """Put there before its segment was full: each run fails naming it, until it is removed."""
    streamed = make_streamed(wal18)
    streamed.write(10)
    streamed.switch()
    streamed.stream(2)
    whole = next(piece for piece in stored_pieces(streamed) if piece.kind == "segment")
    name = after(max(stored_pieces(streamed), key=lambda piece: piece.file), 1)
    forged = forge(streamed, whole, name)
    (forged.parent / f"{name}.json").unlink()
    for _ in range(3):
        streamed.write(10)
        streamed.switch()
    for _ in range(2):
        with pytest.raises(IntegrityError, match=f"{name}.*nobody has recorded"):
            streamed.stream(10)
    forged.unlink()
    assert streamed.stream(3).gap is None
    compare_with_server(streamed)


def test_a_forged_beginning_hides_no_true_one(wal18: Cluster, make_streamed: MakeStreamed, tmp_path: Path) -> None:
    """One that claims to be longer: the true ones are shipped on and kept, and a recovery takes these."""
    streamed = make_streamed(wal18)
    with streamed.streaming():
        take_base_backup(streamed.site.environment(), full=True)
    streamed.write(10)
    streamed.stream(2)
    true = next(piece for piece in stored_pieces(streamed) if piece.kind == "partial")
    forged = forge(streamed, true, f"{true.file}.000FFFF8.partial")
    streamed.write(10)
    report = streamed.stream(2)
    assert any(forged.name.removesuffix(".zst.age") in note for note in report.notes)
    kept = [piece for piece in stored_pieces(streamed) if piece.kind == "partial" and piece.file == true.file]
    assert any((true.end or 0) < (piece.end or 0) < 0xFFFF8 for piece in kept)
    environment = streamed.site.environment()
    plan = plan_recovery(environment, parse_target(latest=True))
    reached = recover(environment, plan, tmp_path / "data").reached_lsn
    assert Lsn.parse(reached) > WalSegment.parse(true.file, 1 << 20).start + (true.end or 0)
