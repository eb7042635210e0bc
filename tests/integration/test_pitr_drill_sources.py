"""PITR drills of other sources: an older major version, without checksums, whose superuser has a name of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fix_postgres import DEBIAN_15, execute
from fix_recovery import recovery_root_for_tests
from fix_wal import ROLE, STREAMED, MakeStreamed, Streamed
from holdfast.backup.base import take_base_backup
from holdfast.drill import open_pitr_drill, record_evidence, remove_recovery, run_pitr_drill, steps_of
from holdfast.drill.scene import Scene
from holdfast.drill.steps import take_step
from holdfast.evidence import verify_evidence
from holdfast.progress import Silent
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId

_NOTES = """
CREATE TABLE notes (id int PRIMARY KEY, note text NOT NULL);
ALTER TABLE notes ALTER COLUMN note SET STORAGE EXTERNAL;
INSERT INTO notes SELECT number, repeat(md5(number::text), 200) FROM generate_series(1, 50) AS number;
"""


@pytest.fixture(scope="module")
def chiefs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """PostgreSQL 15 without page checksums; its configuration names a library that is not installed here."""
    folder = tmp_path_factory.mktemp("chiefs")
    cluster = Cluster(
        folder, DEBIAN_15, config=STREAMED, superuser="chief", initdb_options=("--wal-segsize=1", "--auth-local=trust")
    )
    with cluster:
        execute(cluster.url(), f"CREATE ROLE {ROLE} LOGIN REPLICATION PASSWORD 'only-for-streaming'")
        execute(cluster.url(), f"GRANT pg_monitor TO {ROLE}; GRANT SET ON PARAMETER holdfast.marker TO {ROLE}")
        execute(cluster.url(), f"GRANT EXECUTE ON FUNCTION pg_catalog.pg_switch_wal() TO {ROLE}")
        execute(cluster.url(), "ALTER SYSTEM SET shared_preload_libraries = 'of_another_host'")
        execute(cluster.url(), _NOTES)
        yield cluster


@pytest.fixture
def streamed(chiefs: Cluster, make_streamed: MakeStreamed) -> Iterator[Streamed]:
    """A base backup and two seconds of WAL."""
    made = make_streamed(chiefs, tiers="pitr_check: {keep: 30d}")
    with made.streaming():
        take_base_backup(made.site.environment())
        time.sleep(2.5)
    yield made


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A recovery folder in which nothing may be left."""
    with recovery_root_for_tests() as folder:
        monkeypatch.setenv("HOLDFAST_RECOVERY", str(folder))
        yield folder


def test_a_cluster_without_checksums_is_read_instead(streamed: Streamed, root: Path) -> None:
    """By its superuser, whatever he is called, on a server of its own version."""
    environment = streamed.site.environment()

    facts = run_pitr_drill(environment, None, kind="pitr_check")

    assert facts.verdict == "passed", facts.findings
    assert verify_evidence(environment, RestorePointId.parse(facts.id)) == []
    stored = next(streamed.site.store_folder.rglob("evidence.json"))
    evidence = json.loads(stored.read_text())
    assert evidence["surroundings"]["server_version"].startswith("15.") and evidence["surroundings"]["is_same_major"]
    (pages,) = [step for step in evidence["steps"] if step["name"] == "check_pages"]
    assert pages["facts"] == {"checksums": False} and "no page checksums" in pages["notes"][0]
    assert list(root.iterdir()) == []


def test_damage_without_checksums_is_found_by_reading(streamed: Streamed, chiefs: Cluster, root: Path) -> None:
    """A long value lies in a page of its own, which neither indexes nor counts would ever touch."""
    environment = streamed.site.environment()
    id = open_pitr_drill(
        environment,
        kind="pitr_check",
        opened_at=datetime.now(UTC),
        origin="damage",
        to=None,
        reason=None,
        requested_by=None,
    )
    steps = steps_of(environment.policy, "pitr_check")
    with Scene(environment, id) as scene:
        assert [take_step(scene, step, Silent()).outcome for step in steps[:2]] == ["passed", "passed"]
    (path,) = streamed.sql("SELECT pg_relation_filepath(reltoastrelid) FROM pg_class WHERE oid = 'notes'::regclass")[0]
    long_values = next(root.glob("*/data")) / str(path)
    with long_values.open("r+b") as file:
        file.truncate(8192 * 3)

    with Scene(environment, id) as scene:
        found = take_step(scene, steps[2], Silent())

    assert [finding.about for finding in found.findings] == ["backup"], found
    assert "database postgres: cannot be read" in found.findings[0].text
    assert record_evidence(environment, id).verdict == "failed"
    remove_recovery(environment, id)
