"""WAL is streamed from a real server into a store, and what is there opens with public tools."""

from __future__ import annotations

import hashlib
import subprocess
import time
from pathlib import Path

import pytest

from fix_environment import MakeSite
from fix_postgres import rows
from fix_wal import MakeStreamed, Streamed, drop_slot, streamable, streamer_url
from holdfast.errors import PermanentError, UsageError
from holdfast.recovery.cluster import Cluster
from holdfast.streaming import stream_wal
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from wal_truth import compare_with_server, plain, stored_end, stored_pieces


def opened(streamed: Streamed, key: str) -> bytes:
    """What ``age -d | zstd -d`` makes of an object of a local store."""
    path = streamed.site.store_folder / key
    identity = streamed.site.keys / "identity.txt"
    plain = subprocess.run(["age", "-d", "-i", str(identity), str(path)], check=True, capture_output=True).stdout
    return subprocess.run(["zstd", "-d", "-q", "-c"], input=plain, check=True, capture_output=True).stdout


@pytest.mark.parametrize("server", ["wal18", "wal15"])
def test_segments_in_the_store_are_those_of_the_server(
    server: str, request: pytest.FixtureRequest, make_streamed: MakeStreamed
) -> None:
    """Each whole segment, decrypted with public tools, is the server's own file."""
    cluster: Cluster = request.getfixturevalue(server)
    streamed = make_streamed(cluster)
    streamed.stream(1)
    streamed.write(2000)
    name = streamed.switch()
    streamed.write(10)
    report = streamed.stream(2.5)
    assert report.gap is None and report.segments >= 1 and report.notes == ()
    assert name in streamed.segments()
    catalog = streamed.site.environment().wal_catalog
    for piece in catalog.pieces():
        own = (cluster.data / "pg_wal" / piece.file).read_bytes()
        if piece.kind == "segment":
            assert opened(streamed, catalog.key(piece)) == own
        elif piece.kind == "partial":
            assert piece.end is not None
            assert opened(streamed, catalog.key(piece)) == own[: piece.end]


def test_a_slot_dropped_meanwhile_is_made_anew(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """Within the run: what it has not stored yet must not depend on how long it goes on."""
    streamed = make_streamed(wal18)
    with streamed.streaming() as running:
        for _ in range(2):
            deadline = time.monotonic() + 30
            while not streamed.slots():
                assert time.monotonic() < deadline
                time.sleep(0.1)
            drop_slot(wal18.url(), streamed.slot)
        while not streamed.slots():
            assert time.monotonic() < deadline
            time.sleep(0.1)
    assert any("was made" in note for note in running.result().notes)


def test_the_next_run_goes_on_where_the_last_one_ended(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """No segment is missing between runs, beginnings give way to the whole, and the slot follows what is stored."""
    streamed = make_streamed(wal18)
    for _ in range(3):
        streamed.write(500)
        streamed.stream(1.2)
        streamed.switch()
    streamed.write(100)
    report = streamed.stream(1.5)
    numbers = [int(name[16:], 16) for name in streamed.segments()]
    assert numbers == list(range(numbers[0], numbers[-1] + 1)) and len(numbers) >= 3
    pieces = streamed.site.environment().wal_catalog.pieces()
    beginnings = [piece for piece in pieces if piece.kind == "partial"]
    assert len(beginnings) == 1 and all(piece.is_stored for piece in pieces)
    assert beginnings[0].file == WalSegment.parse(streamed.segments()[-1], 1 << 20).next().name
    restart = Lsn.parse(str(streamed.slots()[0][0]))
    assert WalSegment.at(1, restart, 1 << 20).name == beginnings[0].file
    assert report.retained_bytes is not None and report.retained_bytes < 1 << 20


def test_what_is_committed_is_stored_within_seconds(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """A commit into an idle server, whose segment stays open, is in the store by the next shipping."""
    streamed = make_streamed(wal18)
    with streamed.streaming():
        time.sleep(1.5)
        streamed.write(3)
        committed = Lsn.parse(streamed.insert_lsn())
        began = time.monotonic()
        while stored_end(streamed) < committed:
            assert time.monotonic() - began < 8
            time.sleep(0.1)
    compare_with_server(streamed)


def test_records_say_what_is_stored_and_when_it_was_written(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """Signed facts of each piece; marks whose numbers grow, and which lie in the piece that names them."""
    streamed = make_streamed(wal18)
    with streamed.streaming():
        time.sleep(3.5)
        streamed.switch()
        time.sleep(2.5)
    environment = streamed.site.environment()
    catalog, marks = environment.wal_catalog, []
    for piece in stored_pieces(streamed):
        record = catalog.record(piece, environment.verifier())
        content = plain(streamed, piece)
        assert (record.bytes, record.sha256) == (len(content), hashlib.sha256(content).hexdigest())
        segment = WalSegment.parse(piece.file, record.segment_bytes)
        assert record.end_lsn == str(segment.start + record.bytes)
        for mark in record.marks:
            assert segment.start < Lsn.parse(mark.lsn) <= Lsn.parse(record.end_lsn or "")
            assert mark.at <= mark.seen_at
        marks += record.marks
    numbers = [mark.number for mark in marks]
    assert None not in numbers and len(numbers) >= 4
    assert numbers == sorted(numbers, key=lambda number: number or 0) and len(set(numbers)) == len(numbers)
    setting = streamed.sql("SELECT unnest(setconfig) FROM pg_db_role_setting WHERE setrole = 'streamer'::regrole")
    assert int(str(setting[0][0]).removeprefix("holdfast.marker=").split()[0]) >= (numbers[-1] or 0)


def test_without_the_right_to_write_a_marker_the_stream_goes_on(tmp_path: Path, make_streamed: MakeStreamed) -> None:
    """Marks then only say where the server stood, and the report says why."""
    with streamable(tmp_path / "server", segment_mb=1) as cluster:
        streamed = make_streamed(cluster)
        streamed.execute("REVOKE SET ON PARAMETER holdfast.marker FROM streamer")
        streamed.write(10)
        report = streamed.stream(2)
        assert any("no marker is written" in note for note in report.notes)
        environment = streamed.site.environment()
        piece = stored_pieces(streamed)[-1]
        marks = environment.wal_catalog.record(piece, environment.verifier()).marks
        assert marks and all(mark.number is None for mark in marks)


@pytest.mark.parametrize("segment_mb", [16, 64])
def test_segment_one_and_sizes_of_segments(tmp_path: Path, make_streamed: MakeStreamed, segment_mb: int) -> None:
    """A fresh server stands in segment 1, of which no receiver can be told by the one before it; sizes vary."""
    with streamable(tmp_path / "server", segment_mb=segment_mb) as cluster:
        streamed = make_streamed(cluster)
        streamed.stream(0.5)
        streamed.write(100)
        first = streamed.switch()
        assert first == "000000010000000000000001"
        streamed.write(100)
        report = streamed.stream(3)
        assert streamed.segments() == [first]
        assert report.wal_bytes == segment_mb << 20
        compare_with_server(streamed)


def test_only_the_environments_own_server_is_streamed(
    wal18: Cluster, wal15: Cluster, make_streamed: MakeStreamed
) -> None:
    """Another system identifier than the policy's, or than the store's, is refused; the policy can allow it."""
    streamed = make_streamed(wal18)
    streamed.write(10)
    found = streamed.stream(1).system_identifier
    before = streamed.site.stored_files()
    streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = streamer_url(wal15)
    with pytest.raises(PermanentError, match=f"the store holds {found}: was the server replaced"):
        streamed.stream(1)
    assert streamed.site.stored_files() == before
    streamed.site.edit_policy("pitr: streaming", f'pitr: streaming, system_identifier: "{found}"')
    with pytest.raises(PermanentError, match=f"the policy wants {found}"):
        streamed.stream(1)
    assert Streamed(wal15, streamed.site, streamed.slot).slots() == []
    other = str(wal15_identifier(wal15))
    streamed.site.edit_policy(f'"{found}"', f'"{other}"')
    assert streamed.stream(1.5).system_identifier == other
    drop_slot(wal15.url(), streamed.slot)


def wal15_identifier(cluster: Cluster) -> object:
    """Its system identifier."""
    return rows(cluster.url(), "SELECT system_identifier FROM pg_control_system()")[0][0]


def test_a_role_without_the_right_to_replicate_is_refused(wal18: Cluster, make_streamed: MakeStreamed) -> None:
    """Said before anything is made, with what to run."""
    streamed = make_streamed(wal18)
    streamed.execute("CREATE ROLE plain_reader LOGIN PASSWORD 'secret-of-reader'")
    streamed.site.variables["AIRFLOW_CONN_SHOP_DB"] = wal18.url("postgres", "plain_reader", "secret-of-reader")
    with pytest.raises(PermanentError, match="no right to replicate"):
        streamed.stream(1)
    assert streamed.slots() == []


def test_a_server_that_lets_nobody_replicate_is_named(tmp_path: Path, make_streamed: MakeStreamed) -> None:
    """pg_hba.conf has no line for replication: not the password is blamed, but that."""
    with streamable(tmp_path / "server", segment_mb=1) as cluster:
        streamed = make_streamed(cluster)
        rules = cluster.data / "pg_hba.conf"
        rules.write_text("host replication all all reject\n" + rules.read_text())
        streamed.sql("SELECT pg_reload_conf()")
        time.sleep(0.3)
        with pytest.raises(PermanentError, match=r"pg_hba\.conf") as refused:
            streamed.stream(1)
        assert "pitr: provider" in (refused.value.hint or "")
        assert streamed.slots() == []


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"retained_warning": "1B"}, "wal.retained_warning (1 B)"),
        ({"retained_warning": "1B", "retained_page": "2B"}, "(2 B)"),
        ({}, None),
    ],
)
def test_what_the_slot_holds_back_is_told_where_it_is_too_much(
    wal18: Cluster, make_streamed: MakeStreamed, limits: dict[str, str], told: str | None
) -> None:
    """Before the source's disk is full; and nothing is said while it is not."""
    streamed = make_streamed(wal18, wal=limits)
    streamed.write()
    notes = streamed.stream(seconds=1.5).notes
    assert [told] == [told for note in notes if "holds back more" in note and told in note] if told else notes == ()


def test_a_policy_that_does_not_stream_is_refused(wal18: Cluster, make_site: MakeSite) -> None:
    """`pitr: none` is the policy's word."""
    site = make_site(streamer_url(wal18))
    with pytest.raises(UsageError, match="pitr: none"):
        stream_wal(site.environment(), seconds=1)
