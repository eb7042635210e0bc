"""`holdfast drill`: a restore point is restored for real, looked at, and proven, with nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.evidence import read_evidence, verify_evidence
from holdfast.values.ids import RestorePointId

SHOP = """
CREATE TABLE "User" ("userId" serial PRIMARY KEY, email text UNIQUE NOT NULL);
CREATE TABLE payments (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    buyer int NOT NULL REFERENCES "User", total numeric(10,2) CHECK (total >= 0));
CREATE INDEX ON payments (buyer);
INSERT INTO "User" (email) SELECT 'user' || n || '@example.com' FROM generate_series(1, 50) n;
INSERT INTO payments (buyer, total) SELECT 1 + n % 50, n FROM generate_series(1, 300) n;
"""
DRILL = """\
    targets: {rto: 1h}
    drill:
      commands:
        - sh -c 'psql "$DATABASE_URL" -XAtc "SELECT count(*) FROM payments"'
      env: {PAYMENTS_ENABLED: "false", PATH: "/usr/bin:/bin"}
      queries:
        payments: {sql: "SELECT count(*) FROM payments WHERE total > 0", expect: 300, area: payments}
    tiers:
"""
FIELDS = ["verdict", "restore_point", "restore_seconds", "findings", "evidence"]


@pytest.fixture
def shop(make_database: Callable[..., str], make_site: MakeSite, tmp_path: Path) -> Site:
    """A site with a small shop, and a place of its own for recovery environments."""
    site = make_site(make_database(SHOP))
    site.edit_policy("    tiers:\n", DRILL)
    site.variables["HOLDFAST_RECOVERY"] = str(tmp_path / "recovery")
    return site


def drill(site: Site, *arguments: str, expect: int = 0) -> dict[str, object]:
    found = site.json("drill", str(site.policy_file), "production", *arguments, expect=expect)
    assert list(found) == FIELDS
    return dict(found)


def left_running(site: Site) -> list[str]:
    """Command lines of processes that know the site's folder for recovery environments."""
    mark, found = site.variables["HOLDFAST_RECOVERY"], []
    for process in Path("/proc").iterdir():
        try:
            line = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = str((process / "cwd").readlink())
        except OSError:
            continue
        if process.name.isdigit() and (mark in line or where.startswith(mark)):
            found.append(line)
    return found


def assert_nothing_left(site: Site) -> None:
    deadline = time.monotonic() + 15
    while left_running(site) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left_running(site) == []
    assert list(Path(site.variables["HOLDFAST_RECOVERY"]).iterdir()) == []
    assert list(site.scratch.iterdir()) == []


def test_drill_of_the_newest_restore_point(shop: Site) -> None:
    """Restored, counted, queried and recorded, under who asked and why; nobody was asked for approval."""
    shop.backup()
    time.sleep(1)  # ids tell whole seconds: of two in one second, neither is the newer one
    id = shop.backup()
    found = drill(shop, "--reason", "before the audit")
    assert (found["verdict"], found["restore_point"], found["findings"]) == ("passed", id, [])
    assert isinstance(found["restore_seconds"], float)
    environment = shop.environment()
    drilled = RestorePointId.parse(str(found["evidence"]).split("/")[-2])
    evidence = read_evidence(environment, drilled)
    assert (evidence.reason, evidence.approval, evidence.media) == ("before the audit", "not asked", "none")
    assert [(rows.table, rows.found) for rows in evidence.tables] == [("public.User", 50), ("public.payments", 300)]
    assert [step.name for step in evidence.steps][:3] == ["recovery_environment", "restore_database", "check_database"]
    assert verify_evidence(environment, drilled) == []
    assert_nothing_left(shop)


def test_drill_for_people(shop: Site) -> None:
    """Each step with its time, the verdict against the objective, and where the evidence lies."""
    id = shop.backup()
    done = shop.run("drill", str(shop.policy_file), "production", id, "--media", "none")
    said = done.stdout.decode()
    assert "✓ Restore the database: " in said
    assert f"drill of {id}: passed, restored in " in said
    assert "(objective: 1 h 00 min)" in said
    assert "evidence: shop/production/evidence/" in said
    assert "restore: " in done.stderr.decode()


def test_drill_that_fails(shop: Site) -> None:
    """The first step that fails ends it; exit status 1, the finding, and signed evidence all the same."""
    shop.edit_policy("expect: 300", "expect: 301")
    id = shop.backup()
    found = drill(shop, id, expect=1)
    assert (found["verdict"], found["restore_point"]) == ("failed", id)
    (finding,) = found["findings"]  # type: ignore[misc]
    assert "payments" in str(finding)
    said = shop.run("drill", str(shop.policy_file), "production", id, expect=1).stdout.decode()
    assert f"drill of {id}: failed" in said
    assert "✗ " in said
    assert_nothing_left(shop)


def test_drill_of_nothing(shop: Site) -> None:
    """No restore point, or not that one: said before anything is made."""
    nothing = shop.run("drill", str(shop.policy_file), "production", expect=2)
    assert b"no restore point to restore" in nothing.stderr
    id = shop.backup()
    other = id.replace("nightly", "monthly")
    assert b"not found" in shop.run("drill", str(shop.policy_file), "production", other, expect=1).stderr
    assert b"not of the form" in shop.run("drill", str(shop.policy_file), "production", "newest", expect=2).stderr


def test_drill_leaves_the_live_database_alone(shop: Site) -> None:
    """Whatever the commands do, they do it to the restored copy."""
    shop.edit_policy('"SELECT count(*) FROM payments"', '"DELETE FROM payments"')
    shop.edit_policy("expect: 300", "expect: 0")
    shop.backup()
    assert drill(shop)["verdict"] == "passed"
    url = shop.variables["AIRFLOW_CONN_SHOP_DB"]
    execute(url, "DO $$ BEGIN ASSERT (SELECT count(*) FROM payments) = 300; END $$")


@pytest.mark.parametrize(
    ("number", "sign"),
    [
        (signal.SIGINT, "sleep 600"),
        (signal.SIGTERM, "sleep 600"),
        (signal.SIGTERM, "initdb"),
        (signal.SIGINT, "postgres --single"),
        (signal.SIGTERM, "checkpointer"),
    ],
)
def test_interrupted_drill_cleans_up(shop: Site, number: signal.Signals, sign: str) -> None:
    """Once a process bears the sign: no server, folder or command is left, and no evidence."""
    shop.edit_policy("""'psql "$DATABASE_URL" -XAtc "SELECT count(*) FROM payments"'""", "'sleep 600; true'")
    shop.backup()
    process = subprocess.Popen(
        shop.command("drill", str(shop.policy_file), "production", "--json"),
        env=shop.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 60
    while not any(sign in line for line in left_running(shop)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, left_running(shop)
        time.sleep(0.01)
    os.kill(process.pid, number)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert json.loads(stdout)["error"] == "interrupted"
    assert_nothing_left(shop)
    assert not [
        name for name in shop.stored_files() if name.endswith((".sig", "evidence.json")) and "evidence/" in name
    ]
