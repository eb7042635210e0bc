"""PITR drills of a cluster that was really streamed: what passes, what is found, what is refused, what is left."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fix_environment import POLICY, Site
from fix_postgres import execute, rows
from fix_recovery import recovery_root_for_tests
from fix_wal import Streamed, streamable, streamer_url
from holdfast.backup.base import take_base_backup
from holdfast.crypto.keyfiles import new_keys
from holdfast.drill import open_pitr_drill, record_evidence, remove_recovery, run_pitr_drill, steps_of
from holdfast.drill.records import find_open
from holdfast.drill.scene import Scene
from holdfast.drill.steps import take_step
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.evidence import read_evidence, verify_evidence
from holdfast.manifest.evidence import Evidence
from holdfast.manifest.pitr import PitrMark
from holdfast.progress import Silent
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId
from rotten_base import rot

SHOP = """
CREATE TABLE orders (id bigserial PRIMARY KEY, note text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX orders_note ON orders (note);
INSERT INTO orders (note) SELECT md5(number::text) FROM generate_series(1, 3000) AS number;
"""
QUERIES = """\
    drill:
      queries:
        orders: {sql: "SELECT count(*) FROM orders", expect: {at_least: 3000}, area: orders}
"""


@dataclass(frozen=True)
class Recorded:
    """What was streamed: the instant before and after an order was taken, and the file of the orders."""

    site: Site
    cluster: Cluster
    before: datetime
    after: datetime


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """A base backup and some seconds of WAL, streamed while orders came in."""
    with streamable(tmp_path_factory.mktemp("pitr-source"), segment_mb=1) as cluster:
        execute(cluster.create_database("shop"), SHOP)
        site = _site(tmp_path_factory.mktemp("pitr-site"), streamer_url(cluster, "shop"))
        streamed = Streamed(cluster, site, "holdfast_pitr_drill")
        with streamed.streaming():
            take_base_backup(site.environment())
            time.sleep(2.2)
            before = _now(cluster)
            time.sleep(1.2)
            execute(cluster.url("shop"), "INSERT INTO orders (note) VALUES ('the one that counts')")
            after = _now(cluster)
            time.sleep(3.5)
        execute(cluster.url(), "SELECT pg_drop_replication_slot('holdfast_pitr_drill')")
        yield Recorded(site, cluster, before, after)


def _now(cluster: Cluster) -> datetime:
    found = rows(cluster.url(), "SELECT clock_timestamp()")[0][0]
    assert isinstance(found, datetime)
    return found.astimezone(UTC)


def _site(folder: Path, url: str) -> Site:
    keys, store, policy = folder / "keys", folder / "store", folder / "shop.yaml"
    new_keys(keys)
    policy.write_text(POLICY.format(store_url=f"file://{store}", store_conn="null", keys=keys))
    site = Site(folder, policy, keys, store, {"AIRFLOW_CONN_SHOP_DB": url})
    site.edit_policy("{conn_id: shop_db}", "{conn_id: shop_db, pitr: streaming}")
    site.edit_policy(
        "    tiers:\n",
        "    targets: {rto: 1h}\n"
        "    wal: {slot: holdfast_pitr_drill, ship_every: 1s, mark_every: 1s}\n"
        f"{QUERIES}"
        "    tiers:\n"
        "      wal: {schedule: continuous, keep: 7d}\n"
        "      base_backup: {keep: 14d}\n"
        "      pitr_check: {keep: 30d}\n"
        "      restore_drill: {keep: 30d}\n",
    )
    return site


@dataclass(frozen=True)
class Trial:
    """A copy of what was streamed, which a test may damage."""

    site: Site
    recorded: Recorded
    root: Path

    @property
    def environment(self) -> Environment:
        """Opened afresh."""
        return self.site.environment()

    def store_files(self, pattern: str) -> list[Path]:
        """Objects of the store by the end of their keys."""
        return sorted(self.site.store_folder.rglob(pattern))


@pytest.fixture
def trial(recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    """The site copied, with a recovery folder of its own in which nothing may be left."""
    folder = tmp_path / "site"
    shutil.copytree(recorded.site.folder, folder)
    policy = folder / "shop.yaml"
    policy.write_text(policy.read_text().replace(str(recorded.site.folder), str(folder)))
    with recovery_root_for_tests() as root:
        monkeypatch.setenv("HOLDFAST_RECOVERY", str(root))
        variables = recorded.site.variables | {"HOLDFAST_RECOVERY": str(root)}
        yield Trial(Site(folder, policy, folder / "keys", folder / "store", variables), recorded, root)


def _evidence(trial: Trial, id: str) -> Evidence:
    return read_evidence(trial.environment, RestorePointId.parse(id))


def test_drill_at_a_named_instant_passes_and_leaves_sound_evidence(trial: Trial) -> None:
    """The order that came after it is not there; marker, pages, tables and the policy's query are as they must be."""
    trial.site.edit_policy("{at_least: 3000}", "3000")
    instant = trial.recorded.before

    told = trial.site.json("drill", str(trial.site.policy_file), "production", "--pitr", "--to", instant.isoformat())

    assert told["verdict"] == "passed" and told["findings"] == []
    assert told["instant"] == instant.isoformat() and told["reached_time"] <= instant.isoformat()
    assert told["marker"] >= told["marker_expected"] >= 1
    (folder,) = (trial.site.store_folder / "shop/production/evidence").iterdir()
    evidence = _evidence(trial, folder.name)
    assert evidence.replayed is not None and evidence.replayed.wal_bytes > 0
    facts = {name: value for step in evidence.steps for name, value in step.facts.items()}
    assert facts["checksums"] is True and facts["bad checksums"] == 0 and facts["amcheck"] is True
    assert facts["rows"] == 3000 and facts["database"] == "shop" and facts["queries_passed"] == 1
    assert evidence.restore_seconds is not None and evidence.rto_seconds == 3600
    assert list(trial.root.iterdir()) == []
    _check_cli_of_evidence(trial, folder.name, instant)


def _check_cli_of_evidence(trial: Trial, id: str, instant: datetime) -> None:
    policy = str(trial.site.policy_file)
    assert trial.site.json("evidence", "verify", policy, "production") == {
        "ok": True,
        "evidence": [{"id": id, "faults": []}],
    }
    (entry,) = trial.site.json("evidence", "list", policy, "production")["evidence"]
    assert entry["kind"] == "pitr_drill" and entry["instant"] == instant.isoformat()
    assert f"to {instant.isoformat()}".encode() in trial.site.run("evidence", "list", policy, "production").stdout
    shown = trial.site.run("evidence", "show", policy, "production", id).stdout.decode()
    assert "replay: " in shown and "marker: " in shown and "window: " in shown
    page = trial.site.run("evidence", "show", policy, "production", id, "--html", "-").stdout.decode()
    assert "PITR drill of shop/production" in page and instant.isoformat() in page
    document = next(path for path in trial.store_files("evidence.json"))
    document.write_text(document.read_text().replace('"marker": ', '"marker": 1'))
    found = trial.site.json("evidence", "verify", policy, "production", expect=1)
    assert found["ok"] is False


def test_check_draws_an_instant_once_and_a_rerun_keeps_it(trial: Trial) -> None:
    """As the tasks of the DAG take it: each step by itself, in a process that may be another one."""
    environment, at = trial.environment, datetime.now(UTC)
    arguments: dict[str, Any] = {"kind": "pitr_check", "opened_at": at, "origin": "run", "to": None}
    id = open_pitr_drill(environment, **arguments, reason=None, requested_by=None)
    opened = find_open(environment, id)
    assert opened is not None and opened.pitr is not None and opened.pitr.is_drawn and opened.approval == "not asked"

    assert open_pitr_drill(environment, **arguments, reason=None, requested_by=None) == id
    assert find_open(environment, id) == opened
    for step in steps_of(environment.policy, "pitr_check"):
        with Scene(trial.environment, id) as scene:
            assert take_step(scene, step, Silent()).outcome == "passed", step
    # A cleared task is taken again, the page check also after the server has run.
    for step in steps_of(environment.policy, "pitr_check")[2:4]:
        with Scene(trial.environment, id) as scene:
            assert take_step(scene, step, Silent()).outcome == "passed", step
    facts = record_evidence(environment, id)
    assert remove_recovery(environment, id)
    assert facts.verdict == "passed" and verify_evidence(environment, id) == []
    window = opened.pitr.window
    assert window.ends_at is not None and window.begins_at <= opened.pitr.instant <= window.ends_at


def test_a_marker_that_is_missing_is_found_and_said(trial: Trial) -> None:
    """The record of the WAL promises one that the recovered cluster does not hold: commits were lost."""
    environment = trial.environment
    id = open_pitr_drill(
        environment,
        kind="pitr_check",
        opened_at=datetime.now(UTC),
        origin="planted",
        to=trial.recorded.after,
        reason=None,
        requested_by=None,
    )
    opened = find_open(environment, id)
    assert opened is not None and opened.pitr is not None and opened.pitr.marker is not None
    promised = PitrMark(number=opened.pitr.marker.number + 50, at=opened.pitr.marker.at, seen_at=opened.pitr.instant)
    planted = opened.model_copy(
        update={"pitr": opened.pitr.model_copy(update={"marker": promised, "next_marker": None})}
    )
    _replace_open(environment, id, planted)

    outcomes = _take_all(trial, id)

    assert outcomes == {"recovery_environment": "passed", "recover_to_instant": "passed", "check_pages": "passed",
                        "check_recovered": "failed"}  # fmt: skip
    facts = record_evidence(environment, id)
    assert facts.verdict == "failed"
    assert any(f"(number {promised.number}) is missing" in finding for finding in facts.findings), facts.findings
    assert {finding.about for finding in read_evidence(environment, id).findings} == {"backup"}
    assert verify_evidence(environment, id) == []
    remove_recovery(environment, id)


def _replace_open(environment: Environment, id: RestorePointId, planted: Any) -> None:
    """With the environment's own key, as somebody who has it could."""
    key = environment.keys.evidence_object(id, "draft-open.json")
    payload = planted.model_dump_json()
    signature = base64.b64encode(environment.signer().sign(payload.encode())).decode()
    environment.store.delete(key)
    environment.store.put(key, [json.dumps({"payload": payload, "signature": signature}).encode()])


def _take_all(trial: Trial, id: RestorePointId) -> dict[str, str]:
    outcomes: dict[str, str] = {}
    for step in steps_of(trial.environment.policy, "pitr_check"):
        with Scene(trial.environment, id) as scene:
            outcomes[step.name] = take_step(scene, step, Silent()).outcome
        if outcomes[step.name] == "failed":
            break
    return outcomes


def test_a_page_that_rotted_before_the_base_backup_is_found(trial: Trial) -> None:
    """All sums of the base backup fit: only who looks at every page can tell."""
    (base,) = trial.environment.base_catalog.entries()
    (heap,) = rows(trial.recorded.cluster.url("shop"), "SELECT pg_relation_filepath('orders')")[0]
    rot(trial.environment, base.id, str(heap), 8192 + 4000, b"rotten")

    facts = run_pitr_drill(trial.environment, trial.recorded.after, kind="pitr_check")

    assert facts.verdict == "failed"
    assert facts.findings[0] == f"page 1 of {heap} does not fit its checksum"
    evidence = _evidence(trial, facts.id)
    assert evidence.findings[0].about == "backup" and evidence.steps_not_run == ("check_recovered", "queries")
    assert list(trial.root.iterdir()) == []


def test_a_page_that_does_not_fit_its_checksum_is_found(trial: Trial) -> None:
    """Whatever let it through before: only who looks at every page can tell."""
    environment, id = trial.environment, _opened(trial)
    with Scene(environment, id) as scene:
        for step in steps_of(environment.policy, "pitr_check")[:2]:
            assert take_step(scene, step, Silent()).outcome == "passed"
    (name,) = rows(trial.recorded.cluster.url("shop"), "SELECT pg_relation_filepath('orders')")[0]
    heap = next(trial.root.glob("*/data")) / str(name)
    with heap.open("r+b") as file:
        file.seek(8192 + 4000)
        file.write(b"rotten")

    outcomes = {}
    for step in steps_of(environment.policy, "pitr_check")[2:]:
        with Scene(trial.environment, id) as scene:
            outcomes[step.name] = take_step(scene, step, Silent())

    assert [finding.text for finding in outcomes["check_pages"].findings] == [
        f"page 1 of {name} does not fit its checksum"
    ]
    found = outcomes["check_recovered"].findings
    assert found and all(finding.about == "backup" and "shop" in finding.text for finding in found)
    assert record_evidence(environment, id).verdict == "failed"
    remove_recovery(environment, id)


def _opened(trial: Trial, to: datetime | None = None) -> RestorePointId:
    return open_pitr_drill(
        trial.environment,
        kind="pitr_check",
        opened_at=datetime.now(UTC),
        origin="a run",
        to=to or trial.recorded.before,
        reason=None,
        requested_by=None,
    )


def test_damaged_wal_is_a_finding_about_the_backup(trial: Trial) -> None:
    """One byte of a stored segment: the drill names the object and proves nothing."""
    segment = trial.store_files("wal/**/*.zst.age")[-2]
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(content)

    facts = run_pitr_drill(trial.environment, trial.recorded.after)

    assert facts.verdict == "failed" and facts.restore_seconds is None
    evidence = _evidence(trial, facts.id)
    assert {finding.about for finding in evidence.findings} == {"backup"}, evidence.findings
    assert evidence.steps_not_run == ("check_pages", "check_recovered", "queries")
    assert verify_evidence(trial.environment, RestorePointId.parse(facts.id)) == []


def test_another_identity_is_a_finding_and_leaves_nothing(trial: Trial) -> None:
    """The base backup cannot be decrypted: that is what an admin must be told of."""
    other = trial.site.folder / "other"
    new_keys(other)
    trial.site.edit_policy(f"identity_file: {trial.site.keys}", f"identity_file: {other}")

    done = trial.site.run("drill", str(trial.site.policy_file), "production", "--pitr", expect=1)

    assert b"base.tar.zst.age" in done.stdout and b"identit" in done.stdout, done.stdout
    assert list(trial.root.iterdir()) == []


@pytest.mark.parametrize("arguments", [("--to", "2026-11-22T12:00:00"), ("--to", "yesterday")])
def test_an_instant_without_offset_is_refused(trial: Trial, arguments: tuple[str, ...]) -> None:
    """It could be any of several instants."""
    done = trial.site.run("drill", str(trial.site.policy_file), "production", "--pitr", *arguments, expect=2)

    assert b"timestamp" in done.stderr


def test_an_instant_outside_of_every_window_is_refused(trial: Trial) -> None:
    """With the nearest one that can be had, before anything is made."""
    with pytest.raises(UsageError, match="it is before the end of the oldest base backup"):
        run_pitr_drill(trial.environment, trial.recorded.before - timedelta(days=1))
    assert not trial.store_files("evidence/*")


def test_without_wal_behind_the_base_backup_nothing_is_drawn(trial: Trial) -> None:
    """All pieces behind the backup's end are gone: a clear word instead of a drill of nothing."""
    shutil.rmtree(trial.site.store_folder / "shop/production/base-backups")

    done = trial.site.run("drill", str(trial.site.policy_file), "production", "--pitr", expect=2)

    assert b"there is no base backup" in done.stderr and b"holdfast base-backup" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [("--to", "2026-11-22T12:00:00Z"), ("--pitr", "--media", "all"), ("--pitr", "20261122T020000Z-nightly-4f9c2a")],
)
def test_options_that_do_not_go_together_are_refused(trial: Trial, arguments: tuple[str, ...]) -> None:
    """A restore point has no instant, and an instant no restore point or media."""
    trial.site.run("drill", str(trial.site.policy_file), "production", *arguments, expect=2)


def test_a_drill_whose_base_backup_expires_meanwhile_blames_itself(trial: Trial) -> None:
    """Nothing is said against a backup that was deleted by its rule."""
    id = _opened(trial)
    shutil.rmtree(trial.site.store_folder / "shop/production/base-backups")

    outcomes = _take_all(trial, id)

    assert outcomes == {"recovery_environment": "failed"}
    facts = record_evidence(trial.environment, id)
    assert "was deleted while it was restored" in facts.findings[0]
    assert {finding.about for finding in read_evidence(trial.environment, id).findings} == {"drill"}


def test_a_killed_drill_leaves_no_server_and_its_folder_goes_with_the_next(trial: Trial) -> None:
    """SIGKILL in the middle of the replay or of the checks, then another drill passes."""
    command = trial.site.command("drill", str(trial.site.policy_file), "production", "--pitr")
    running = subprocess.Popen(
        command,
        env=trial.site.surroundings(),
        cwd=trial.site.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 60
    while not list(trial.root.glob("*/data/PG_VERSION")) and time.monotonic() < deadline:
        time.sleep(0.05)
    running.kill()
    running.wait()

    facts = run_pitr_drill(trial.environment, trial.recorded.before)

    assert facts.verdict == "passed", facts.findings
    assert list(trial.root.iterdir()) == []
