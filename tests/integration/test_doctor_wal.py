"""Doctor says what streaming lacks on a real server, and what the holding slot costs; the slot can be given up."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from aged_wal import AgedWal
from audit_trail import told
from fix_environment import MakeSite, Site
from fix_postgres import DEBIAN_15, FAST, execute, rows
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster
from holdfast.streaming.control import take_lock
from holdfast.wal.server import read_source

SLOT = "holdfast_shop_production"
CONFIG = FAST | {"max_wal_senders": "6", "wal_level": "replica", "max_wal_size": "64MB", "min_wal_size": "32MB"}
ROLE = "wal_doctor"
Checks = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server of its own, with segments of 1 MiB, and a role that may replicate."""
    folder = tmp_path_factory.mktemp("doctor_wal")
    options = ("--data-checksums", "--wal-segsize=1")
    with Cluster(folder, wheel_folder(), config=CONFIG, initdb_options=options) as cluster:
        execute(cluster.url(), f"CREATE ROLE {ROLE} LOGIN REPLICATION PASSWORD 'x'; GRANT pg_monitor TO {ROLE}")
        yield cluster


@pytest.fixture
def site(make_site: MakeSite, server: Cluster) -> Iterator[Site]:
    """An environment that streams from it; whatever slot is left is dropped."""
    site = make_site(server.url(user=ROLE, password="x"))
    site.edit_policy(
        "database: {conn_id: shop_db}", "database: {conn_id: shop_db, pitr: streaming}\n    targets: {rpo: 1h}"
    )
    yield site
    execute(server.url(), "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots")


def _checks(site: Site, expect: int | None = None) -> Checks:
    found = site.json("doctor", str(site.policy_file), "production", expect=expect)
    return {check["name"]: check for check in found["checks"]}


def _write_wal(server: Cluster, mib: int) -> None:
    with psycopg.connect(server.url(), autocommit=True) as session:
        for _ in range(mib):
            session.execute("SELECT pg_logical_emit_message(false, 'doctor', repeat('x', 1000000))")


def test_sound_server_passes_every_check(site: Site) -> None:
    """Nothing fails before the first run; what is not there yet, and what would be better, is said."""
    found = _checks(site, expect=0)
    assert {name: check["verdict"] for name, check in found.items() if check["verdict"] == "failed"} == {}
    assert found["WAL settings"]["text"].startswith("wal_level replica, 0 of 6")
    assert "can log in" in found["replication"]["text"]
    assert "PostgreSQL 18" in found["WAL programs"]["text"]
    assert found["tablespaces"]["verdict"] == "ok"
    assert "summarize_wal = on" in found["incremental base backups"]["text"]
    assert "archive_mode is off" in found["WAL archiving"]["text"]
    assert "none yet" in found["holding slot"]["text"]
    assert "files" in found["WAL on the server"]["text"]
    assert (found["stored WAL"]["verdict"], found["stored WAL"]["text"]) == ("warning", "none yet of this cluster")


def test_role_without_the_right_or_the_way_in(site: Site, server: Cluster) -> None:
    """A role that may not replicate, and one that pg_hba.conf does not let in for that, each with what to do."""
    execute(server.url(), f"ALTER ROLE {ROLE} NOREPLICATION")
    try:
        found = _checks(site, expect=1)["replication"]
        assert f'ALTER ROLE "{ROLE}" REPLICATION' in found["hint"]
    finally:
        execute(server.url(), f"ALTER ROLE {ROLE} REPLICATION")
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    try:
        rules.write_text("\n".join(line for line in before.splitlines() if "replication" not in line.split()) + "\n")
        execute(server.url(), "SELECT pg_reload_conf()")
        found = _checks(site, expect=1)["replication"]
        assert "pg_hba.conf" in found["text"]
        assert f"host replication {ROLE}" in found["hint"]
    finally:
        rules.write_text(before)
        execute(server.url(), "SELECT pg_reload_conf()")
    assert _checks(site)["replication"]["verdict"] == "ok"


def test_slot_that_holds_back_too_much_is_told_and_can_be_dropped(site: Site, server: Cluster) -> None:
    """Above each threshold the commands are shown; they work only for who accepts a gap."""
    execute(server.url(), f"SELECT pg_create_physical_replication_slot('{SLOT}', true)")
    assert _checks(site)["holding slot"]["verdict"] == "ok"
    policy = str(site.policy_file)
    site.edit_policy("    tiers:\n", "    wal: {retained_warning: 2MiB, retained_page: 8MiB}\n    tiers:\n")
    _write_wal(server, 4)
    slot = _checks(site)["holding slot"]
    assert slot["verdict"] == "warning"
    assert "without a limit (max_slot_wal_keep_size)" in slot["text"]
    _write_wal(server, 6)
    slot = _checks(site, expect=1)["holding slot"]
    assert "wal.retained_page" in slot["text"]
    assert f"holdfast wal drop-slot {policy} production --i-understand-a-gap" in slot["hint"]
    assert f"SELECT pg_drop_replication_slot('{SLOT}')" in slot["hint"]
    refused = site.run("wal", "drop-slot", policy, "production", expect=1).stderr
    assert b"--i-understand-a-gap" in refused
    target = Target.parse(server.url())
    with connect(target.with_parameters(application_name="holdfast wal elsewhere:7")) as streamer:
        take_lock(streamer, target, SLOT)
        busy = site.run("wal", "drop-slot", policy, "production", "--i-understand-a-gap", expect=2).stderr
        assert b"holdfast wal elsewhere:7" in busy
        assert rows(server.url(), "SELECT slot_name FROM pg_replication_slots") == [(SLOT,)]
        dropped = site.json("wal", "drop-slot", policy, "production", "--i-understand-a-gap", "--force")
    assert dropped["existed"] is True
    assert dropped["retained_bytes"] > 8 << 20
    assert rows(server.url(), "SELECT slot_name FROM pg_replication_slots") == []
    again = site.run("wal", "drop-slot", policy, "production", "--i-understand-a-gap").stdout
    assert b"there is none" in again
    (told_of,) = told(site.environment(), "slot_dropped")
    assert (told_of.subject, told_of.via, told_of.details["force"]) == (SLOT, "cli", True)


def test_lost_slot_is_a_gap(site: Site, server: Cluster) -> None:
    """Invalidated by max_slot_wal_keep_size: a new base backup is asked for."""
    execute(server.url(), f"SELECT pg_create_physical_replication_slot('{SLOT}', true)")
    try:
        execute(server.url(), "ALTER SYSTEM SET max_slot_wal_keep_size = '2MB'")
        execute(server.url(), "SELECT pg_reload_conf()")
        # As much as makes even recycled segments go; each checkpoint looks at the slots anew.
        for _ in range(10):
            _write_wal(server, 10)
            execute(server.url(), "CHECKPOINT")
            if rows(server.url(), "SELECT wal_status FROM pg_replication_slots") == [("lost",)]:
                break
        slot = _checks(site, expect=1)["holding slot"]
        assert "there is a gap" in slot["text"]
        assert "base-backup" in slot["hint"]
    finally:
        execute(server.url(), "ALTER SYSTEM RESET max_slot_wal_keep_size")
        execute(server.url(), "SELECT pg_reload_conf()")


def test_age_of_stored_wal_against_the_rpo(site: Site, server: Cluster) -> None:
    """Older than the RPO fails, unless the server has written nothing since; another cluster's is told as such."""
    environment = site.environment()
    with connect(Target.parse(server.url())) as session:
        source = read_source(session)
    maker = AgedWal(environment, source.system_identifier)
    number = source.flush_lsn.value // source.segment_bytes
    maker.segment(number - 1, datetime.now(UTC) - timedelta(hours=2))
    _write_wal(server, 1)
    stale = _checks(site, expect=1)["stored WAL"]
    assert "more than the RPO of 1h" in stale["text"]
    maker.segment(number + 9, datetime.now(UTC) - timedelta(hours=2))
    assert "all that the server has written" in _checks(site)["stored WAL"]["text"]
    shutil.rmtree(site.store_folder / environment.keys.wal)
    AgedWal(environment).segment(3, datetime.now(UTC))
    assert "was the server replaced?" in _checks(site, expect=1)["stored WAL"]["text"]


def test_tablespaces_and_failing_archiver(make_site: MakeSite, tmp_path: Path) -> None:
    """Of a server of 15 with a tablespace, no senders to spare, and an archive_command that fails."""
    config = FAST | {"archive_mode": "on", "archive_command": "false", "max_wal_senders": "1"}
    with Cluster(tmp_path / "old", DEBIAN_15, config=config) as old:
        place = tmp_path / "place"
        place.mkdir()
        _give(place, old.data)
        execute(old.url(), f"CREATE TABLESPACE elsewhere LOCATION '{place}'")
        execute(old.url(), "SELECT pg_switch_wal()")
        _await(lambda: bool(rows(old.url(), "SELECT 1 FROM pg_stat_archiver WHERE failed_count > 0")))
        site = make_site(old.url())
        site.edit_policy("database: {conn_id: shop_db}", "database: {conn_id: shop_db, pitr: streaming}")
        found = _checks(site, expect=1)
    assert "elsewhere" in found["tablespaces"]["text"]
    assert found["WAL settings"]["verdict"] == "warning"
    assert found["WAL archiving"]["verdict"] == "warning"
    assert "before PostgreSQL 17" in found["incremental base backups"]["text"]


@pytest.mark.parametrize(("pitr", "told"), [("provider", "the provider's"), ("none", "nothing can be recovered")])
def test_environment_that_streams_nothing_says_so(make_site: MakeSite, database: str, pitr: str, told: str) -> None:
    """One line, and no failure."""
    site = make_site(database)
    site.edit_policy("database: {conn_id: shop_db}", f"database: {{conn_id: shop_db, pitr: {pitr}}}")
    found = _checks(site, expect=0)
    assert (found["PITR"]["verdict"], told in found["PITR"]["text"]) == ("ok", True)
    assert "holding slot" not in found


def _give(place: Path, like: Path) -> None:
    owner = like.stat()
    os.chown(place, owner.st_uid, owner.st_gid)
    for folder in place.parents:
        if folder.stat().st_uid == os.getuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)


def _await(is_so: Callable[[], bool]) -> None:
    import time

    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.1)
