"""Operations on the demo, with its own application and the role that its policy names: all that works."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fix_demo_app import DemoApp
from fix_environment import MakeSite, Site
from fix_postgres import execute, rows
from holdfast.backup.run import run_backup
from holdfast.operation import names_of, open_operation, record_operation, take_operation_step
from holdfast.recovery.cluster import Cluster
from holdfast.values.ids import RestorePointId
from holdfast_embedded.demo.databases import BACKUP_ROLE, DEMO_DATABASES
from holdfast_embedded.generated import Secrets

CAMPUSTRACK = DEMO_DATABASES[2]
# As much of the demo's as its migrations ask for, on a server that a command may reach by TCP.
SCHEMA = """CREATE TABLE courses (id int PRIMARY KEY);
CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL);
INSERT INTO schema_migrations SELECT version, now() FROM unnest(ARRAY['0001_courses_and_orders', '0002_media_files',
    '0003_passwords', '0004_certificate_qr', '0005_course_totals']) AS version"""
Release = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def release(demo_app: DemoApp, demo_database: str, tmp_path: Path) -> Iterator[Release]:
    """Runs a command of a release of its own, to whose migrations ``files`` are added, on a copy of the database."""
    folder = tmp_path / "release"
    shutil.copytree(demo_app.folder, folder, symlinks=True)

    def run(command: str, **files: str) -> subprocess.CompletedProcess[str]:
        (folder / "migrations").mkdir(exist_ok=True)
        for version, script in files.items():
            (folder / "migrations" / f"{version.removeprefix('v')}.sql").write_text(script)
        environment = {"PATH": demo_app.path, "HOME": str(tmp_path), "DATABASE_URL": demo_database}
        return subprocess.run(
            ["pnpm", command], env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )

    yield run


def test_migrations_are_applied_once(release: Release, demo_database: str) -> None:
    """Nothing to do as shipped; a file that is added is applied, and told of until then."""
    done = release("db:migrate")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ok     migrations: at 0005_course_totals" in done.stdout
    added = {"v0006_course_hardness": "ALTER TABLE courses ADD COLUMN hardness text;"}
    lacking = release("db:status", **added)
    assert lacking.returncode == 1
    assert "1 migrations were not applied: 0006_course_hardness" in lacking.stderr
    done = release("db:migrate")
    assert "ok     0006_course_hardness: applied\nok     migrations: at 0006_course_hardness" in done.stdout
    assert release("db:status").returncode == 0
    assert rows(demo_database, "SELECT count(hardness) FROM courses") == [(0,)]
    assert rows(demo_database, "SELECT max(version) FROM schema_migrations") == [("0006_course_hardness",)]


def test_failed_migration_is_named_and_leaves_nothing(release: Release, demo_database: str) -> None:
    """What it did before it failed is taken back, and what stood before it stays."""
    files = {
        "v0006_course_hardness": "ALTER TABLE courses ADD COLUMN hardness text;",
        "v0007_broken": "ALTER TABLE courses ADD COLUMN other text; SELECT 1 / 0;",
    }
    done = release("db:migrate", **files)
    assert done.returncode == 1
    assert "FAILED migrations: 0007_broken: division by zero" in done.stderr
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'courses'"
    found = {name for (name,) in rows(demo_database, columns)}
    assert "hardness" in found
    assert "other" not in found


@pytest.fixture
def campustrack(make_site: MakeSite, demo_cluster: Cluster, demo_secrets: Secrets) -> Iterator[Site]:
    """The demo's staging database, backed up by the role that reads and restored by its owner's."""
    name, owner = CAMPUSTRACK.name, CAMPUSTRACK.owner
    site = make_site(demo_cluster.url(name, BACKUP_ROLE, demo_secrets.backup_password))
    site.edit_policy("    tiers:", "    restore: {conn_id: shop_owner}\n    tiers:")
    site.variables["AIRFLOW_CONN_SHOP_OWNER"] = demo_cluster.url(name, owner, demo_secrets.owner_password)
    yield site
    others = f"SELECT datname FROM pg_database WHERE datname LIKE '{name}%' AND datname <> '{name}'"
    for (other,) in rows(demo_cluster.url(), others):
        execute(demo_cluster.url(), f'DROP DATABASE "{other}" WITH (FORCE)')


def _applied(site: Site, *command: str) -> dict[str, object]:
    planned = site.json(*command)
    people = ("--i-am", "otto", "--approved-by", "dora", "--reason", "tried")
    done: dict[str, object] = site.json(*command, "--apply", planned["plan"], *people)
    return done


def test_demo_is_restored_and_switched_back(campustrack: Site, demo_cluster: Cluster, demo_secrets: Secrets) -> None:
    """By its owner, who is no superuser, while the backup's role is connected; evidence of both is genuine."""
    live = demo_cluster.url(CAMPUSTRACK.name)
    count = 'SELECT count(*) FROM "AttendanceRecord"'
    before = rows(live, count)
    policy, point = str(campustrack.policy_file), campustrack.backup()
    execute(live, """DELETE FROM "AttendanceRecord" WHERE "status" = 'ABSENT'""")
    damaged = rows(live, count)
    assert damaged < before
    done = _applied(campustrack, "switch", policy, "production", point)
    assert done["verdict"] == "passed", done
    assert rows(live, count) == before
    reader = demo_cluster.url(CAMPUSTRACK.name, BACKUP_ROLE, demo_secrets.backup_password)
    assert rows(reader, count) == before
    back = _applied(campustrack, "switch-back", policy, "production")
    assert back["verdict"] == "passed", back
    assert rows(live, count) == damaged
    assert campustrack.json("evidence", "verify", policy, "production")["ok"] is True
    listed = campustrack.json("evidence", "list", policy, "production")["evidence"]
    assert [(entry["kind"], entry["approvers"]) for entry in listed] == [
        ("restore", ["dora"]),
        ("switch_back", ["dora"]),
    ]


@pytest.mark.parametrize("is_sound", [True, False])
def test_migration_of_the_demo_runs_behind_its_snapshot(
    make_site: MakeSite, demo_app: DemoApp, make_database: Callable[..., str], tmp_path: Path, is_sound: bool
) -> None:
    """The policy's commands with the demo's application; its evidence says what came of it, and names nobody."""
    release = tmp_path / "release"
    shutil.copytree(demo_app.folder, release, symlinks=True)
    (release / "migrations").mkdir(exist_ok=True)
    script = "ALTER TABLE courses ADD COLUMN hardness text;" if is_sound else "ALTER TABLE nothing ADD COLUMN x text;"
    (release / "migrations" / "0006_course_hardness.sql").write_text(script)
    site = make_site(make_database(SCHEMA))
    section = f"""    migration:
      app_dir: {release}
      command: pnpm db:migrate
      checks: ["pnpm db:status"]
      env: {{PATH: "{demo_app.path}"}}
    tiers:"""
    site.edit_policy("    tiers:", section)
    environment, at, origin = site.environment(), datetime.now(UTC).replace(microsecond=0), "a run"
    run_backup(environment, "snapshot", label="pre-migration-hardness", opened_at=at, origin=origin)
    operation = open_operation(
        environment,
        kind="guarded_migration",
        opened_at=at,
        origin=origin,
        restore_point=RestorePointId.make(at, "snapshot", origin),
        request={},
        reason="hardness of courses",
        requested_by="otto",
        window=None,
        approval="asked",
    )
    for step in names_of("guarded_migration"):
        take_operation_step(environment, operation, step)
    facts = record_operation(environment, operation)
    assert (facts.verdict == "passed") == is_sound, facts.findings
    shown = site.run("evidence", "show", str(site.policy_file), "production", str(operation)).stdout.decode()
    assert ("✓" if is_sound else "✗") + " Run the migration and check what it left" in shown
    assert site.json("evidence", "verify", str(site.policy_file), "production", str(operation))["ok"] is True
    (entry,) = site.json("evidence", "list", str(site.policy_file), "production")["evidence"]
    assert entry["approval"] == ("not asked" if is_sound else "not reached")
