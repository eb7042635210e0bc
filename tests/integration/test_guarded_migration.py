"""A guarded migration: the application's own command runs on the live database, once, and only behind its snapshot."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import PROJECT, MakeSite, Site
from fix_postgres import execute, rows
from fix_recovery import await_no_process_of, processes_of
from holdfast.backup import run_backup
from holdfast.drill.outcome import Outcome
from holdfast.environment import Environment
from holdfast.errors import ApprovalError, HoldfastError, IntegrityError, RestoreError, SignatureError, UsageError
from holdfast.operation.live import live_target
from holdfast.operation.migration import check_live, find_failed, plan_migration, run_follow_up, run_migration
from holdfast.operation.opening import open_operation
from holdfast.operation.plans import Plan
from holdfast.postgres.switching import exclusive
from holdfast.values.ids import RestorePointId

_DATABASE = """
CREATE TABLE "User" (id int PRIMARY KEY); INSERT INTO "User" VALUES (1), (2);
CREATE TABLE "Old" (id int);
CREATE TABLE _prisma_migrations (migration_name text, finished_at timestamptz);
"""
# What `npx prisma migrate deploy` does to a database, in a few lines.
_PROGRAM = """
import os, subprocess, sys, time
import psycopg
mode = sys.argv[1] if sys.argv[1] != "deploy" else os.environ["MODE"]
with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
    if mode == "resolve":
        print("resolved", sys.argv[2:], sorted(os.environ))
    elif mode == "check":
        sys.exit(session.execute('SELECT count(*) FROM "User"').fetchone()[0] == 0)
    else:
        session.execute("INSERT INTO _prisma_migrations VALUES ('20261122_add', NULL)")
        session.execute('DROP TABLE "Old"')
        session.execute('CREATE TABLE "New" (id int)')
    if mode == "half":
        print("could not connect with \\x1b[31m" + os.environ["DATABASE_URL"] + "\\x1b[0m", file=sys.stderr)
        sys.exit("ERROR: column x does not exist")
    if mode == "hang":
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        time.sleep(600)
    if mode == "empty":
        session.execute('DELETE FROM "User"')
    if mode in ("fine", "empty"):
        session.execute("UPDATE _prisma_migrations SET finished_at = now()")
        print("1 migration applied")
"""
_POLICY = """
    drill:
      queries:
        users: {{sql: 'SELECT count(*) FROM "User"', expect: 2}}
        writes: {{sql: 'SELECT 1 FROM "User" LIMIT 1', expect: 1}}
    migration:
      command: "{python} migrate.py deploy"
      follow_up: ["{python} migrate.py resolve --rolled-back {{migration}}"]
      failed_query: SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NULL
      checks: ["{python} migrate.py check"]
      app_dir: {app_dir}
      env: {{MODE: fine}}
      timeout: 30s
"""
_ORIGIN = "a run"


@dataclass(frozen=True)
class College:
    """An app whose live database is about to be migrated by a run that was opened a moment ago."""

    site: Site
    live: str
    app_dir: Path
    opened_at: datetime

    def environment(self, mode: str = "fine", *, later: timedelta = timedelta()) -> Environment:
        """The opened environment, whose migration does what ``mode`` says."""
        opened = self.site.environment()
        migration = opened.policy.migration
        assert migration is not None
        policy = opened.policy.model_copy(update={"migration": migration.model_copy(update={"env": {"MODE": mode}})})
        return replace(opened, policy=policy, clock=lambda: datetime.now(UTC) + later)

    def snapshot(self, tier: str = "snapshot", origin: str = _ORIGIN) -> RestorePointId:
        """A restore point as the run takes it."""
        taken = run_backup(
            self.site.environment(), tier, label="pre-migration-1", opened_at=self.opened_at, origin=origin
        )
        return RestorePointId.parse(taken.restore_point)

    def open(self, point: RestorePointId) -> RestorePointId:
        """The operation, with that snapshot behind it."""
        return open_operation(
            self.site.environment(),
            kind="guarded_migration",
            opened_at=self.opened_at,
            origin=_ORIGIN,
            restore_point=point,
            request={},
            reason="release 3",
            requested_by="ann",
            window=None,
            approval="asked",
        )

    def tables(self) -> set[object]:
        """The names of the live tables."""
        return {name for (name,) in rows(self.live, "SELECT relname FROM pg_stat_user_tables")}

    def demand_untouched(self) -> None:
        """Nothing of the migration has run."""
        assert self.tables() == {"User", "Old", "_prisma_migrations"}
        assert rows(self.live, "SELECT count(*) FROM _prisma_migrations") == [(0,)]


@pytest.fixture
def college(make_database: Callable[..., str], make_site: MakeSite, tmp_path: Path) -> College:
    """Its application is a program of its own in a folder of its own."""
    live = make_database(_DATABASE)
    site, app_dir = make_site(live), tmp_path / "app"
    app_dir.mkdir()
    (app_dir / "migrate.py").write_text(_PROGRAM)
    site.policy_file.write_text(site.policy_file.read_text() + _POLICY.format(python=sys.executable, app_dir=app_dir))
    return College(site, live, app_dir, datetime.now(UTC))


def agreed(plan: Plan) -> None:
    """As if everybody who must had agreed to that plan: who may is tested where approvals are."""
    plan.demand_possible()


def _text(outcome: Outcome) -> str:
    return repr(outcome)


def test_a_migration_runs_behind_its_snapshot_and_what_it_changed_is_told(college: College) -> None:
    """Checks pass afterwards; the rows before and after stand beside one another."""
    operation = college.open(college.snapshot())
    demanded: list[Plan] = []
    outcome = run_migration(college.environment(), operation, demand=demanded.append)
    assert outcome.findings == ()
    assert outcome.notes[0] == "1 migration applied"
    assert {"table public.Old is gone, it had 0 rows", "table public.New is new"} <= set(outcome.notes)
    assert "table public._prisma_migrations: 0 rows before, 1 after" in outcome.notes
    assert outcome.facts["exit status"] == 0
    assert outcome.facts["queries_passed"] == 2
    assert (outcome.facts["rows before"], outcome.facts["rows after"], outcome.facts["tables gone"]) == (2, 3, 1)
    assert college.tables() == {"User", "New", "_prisma_migrations"}
    (plan,) = demanded
    assert plan == plan_migration(college.environment(), RestorePointId.parse(plan.restore_point))
    assert f"{sys.executable} migrate.py deploy" in plan.body
    with pytest.raises(UsageError, match="begun before"):
        run_migration(college.environment(), operation, demand=agreed)


def test_a_migration_that_fails_half_way_says_so_and_undoes_nothing(college: College) -> None:
    """Which one it was is found out, and the live password is in nothing that is kept."""
    operation = college.open(college.snapshot())
    outcome = run_migration(college.environment("half"), operation, demand=agreed)
    (finding,) = outcome.findings
    assert finding.about == "operation"
    assert "migrate.py deploy: failed with exit status 1" in finding.text
    assert "column x does not exist" in finding.text
    assert outcome.facts["failed migration"] == "20261122_add"
    assert "table public.New is new" in outcome.notes
    password = live_target(college.environment()).get("password")
    assert password
    assert password not in _text(outcome)
    assert "could not connect with ***" in _text(outcome)
    followed = run_follow_up(college.environment(), failed="20261122_add")
    assert followed.findings == ()
    assert "['--rolled-back', '20261122_add']" in followed.notes[0]
    assert "AIRFLOW" not in followed.notes[0]


def test_a_migration_that_hangs_is_ended_with_all_it_started(college: College) -> None:
    """Its time is the policy's."""
    college.site.edit_policy("timeout: 30s", "timeout: 3s")
    operation = college.open(college.snapshot())
    outcome = run_migration(college.environment("hang"), operation, demand=agreed)
    assert "did not end within 3s" in outcome.findings[0].text
    assert processes_of(college.app_dir) == []


def test_a_migration_whose_checks_fail_is_a_failure(college: College) -> None:
    """Of the commands as of the queries, and it is not the backup's."""
    operation = college.open(college.snapshot())
    outcome = run_migration(college.environment("empty"), operation, demand=agreed)
    assert [finding.about for finding in outcome.findings] == ["operation"] * 3
    assert "migrate.py check: failed with exit status 1" in outcome.findings[0].text
    assert "query users" in outcome.findings[1].text


def test_a_query_that_would_write_to_the_live_database_cannot(college: College) -> None:
    """It is refused by the transaction, and is a finding."""
    college.site.edit_policy('SELECT 1 FROM "User" LIMIT 1', 'SELECT 1 FROM "User" LIMIT 1 FOR UPDATE')
    outcome = check_live(college.environment())
    assert [finding.about for finding in outcome.findings] == ["operation"]
    assert "it tries to write" in outcome.findings[0].text


def test_without_its_own_fresh_snapshot_nothing_runs(college: College) -> None:
    """Another run's, an old one, one of another tier, one that is damaged or forged: each is refused."""
    snapshot = college.snapshot()
    operation = college.open(snapshot)
    refused: list[tuple[type[HoldfastError], str]] = []

    def attempt(environment: Environment) -> None:
        with pytest.raises(HoldfastError) as refusal:
            run_migration(environment, operation, demand=agreed)
        refused.append((type(refusal.value), refusal.value.message))
        college.demand_untouched()

    attempt(college.environment(later=timedelta(hours=7)))
    store, keys = college.environment().store, college.environment().keys
    signature = store.get(keys.signature(snapshot))
    store.delete(keys.signature(snapshot))
    store.put(keys.signature(snapshot), [bytes(64)])
    attempt(college.environment())
    store.delete(keys.signature(snapshot))
    store.put(keys.signature(snapshot), [signature])
    store.delete(keys.artifact(snapshot, "database.dump.age"))
    attempt(college.environment())
    store.delete(keys.manifest(snapshot))
    attempt(college.environment())
    assert [kind for kind, _ in refused] == [IntegrityError, SignatureError, IntegrityError, IntegrityError]
    assert "7.0 h old" in refused[0][1]
    assert "database.dump.age is missing" in refused[2][1]
    assert "there is no snapshot" in refused[3][1]


@pytest.mark.parametrize(
    ("tier", "origin", "said"), [("nightly", _ORIGIN, "of tier nightly"), ("snapshot", "x", "by th")]
)
def test_a_restore_point_that_the_run_did_not_take_is_no_snapshot(
    college: College, tier: str, origin: str, said: str
) -> None:
    """Neither the newest nightly one nor another run's snapshot."""
    operation = college.open(college.snapshot(tier, origin))
    with pytest.raises(IntegrityError, match=said):
        run_migration(college.environment(), operation, demand=agreed)
    college.demand_untouched()


def test_another_database_under_the_connection_is_not_migrated(
    college: College, make_database: Callable[..., str]
) -> None:
    """Its name and server must be the snapshot's."""
    operation = college.open(college.snapshot())
    other = make_database(_DATABASE)
    college.site.variables["AIRFLOW_CONN_SHOP_DB"] = other
    with pytest.raises(RestoreError, match="but restore point"):
        run_migration(college.environment(), operation, demand=agreed)
    assert rows(other, "SELECT count(*) FROM _prisma_migrations") == [(0,)]
    college.demand_untouched()


def test_what_is_refused_or_cannot_start_leaves_the_way_open(college: College) -> None:
    """A plan nobody agreed to, a missing program, another operation at work: nothing has run, and it may run later."""
    operation = college.open(college.snapshot())

    def never(plan: Plan) -> None:
        raise ApprovalError("nobody has agreed")

    with pytest.raises(ApprovalError):
        run_migration(college.environment(), operation, demand=never)
    live = live_target(college.environment())
    with exclusive(live, "shop", "production"), pytest.raises(RestoreError, match="another operation"):
        run_migration(college.environment(), operation, demand=agreed)
    script = college.app_dir / "lacking-interpreter"
    script.write_text("#!/nowhere/sh\n")
    script.chmod(0o755)
    command = f"{sys.executable} migrate.py deploy"
    for wrong, said in ("npx-lacking migrate", "not found"), ("./lacking-interpreter", "cannot be started"):
        college.site.edit_policy(f'command: "{command}"', f'command: "{wrong}"')
        with pytest.raises(UsageError, match=said):
            run_migration(college.environment(), operation, demand=agreed)
        college.site.edit_policy(f'command: "{wrong}"', f'command: "{command}"')
    college.demand_untouched()
    assert run_migration(college.environment(), operation, demand=agreed).passed


def test_a_worker_killed_amid_the_migration_takes_it_along_and_nobody_runs_it_twice(college: College) -> None:
    """What it had done stands, and a person must look."""
    operation = college.open(college.snapshot())
    college.site.edit_policy("{MODE: fine}", "{MODE: hang}")
    program = (
        "import sys; from pathlib import Path; from holdfast.environment import open_environment\n"
        "from holdfast.operation.migration import run_migration; from holdfast.values.ids import RestorePointId\n"
        "from holdfast.values.airflow_conn import EnvironmentConnections; import os\n"
        "opened = open_environment(Path(sys.argv[1]), 'production', EnvironmentConnections(os.environ))\n"
        "run_migration(opened, RestorePointId.parse(sys.argv[2]), demand=lambda plan: None)\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", program, str(college.site.policy_file), str(operation)],
        env=college.site.surroundings(PYTHONPATH=str(PROJECT / "include")),
    )
    deadline = time.monotonic() + 30
    while "New" not in college.tables():
        assert time.monotonic() < deadline
        assert worker.poll() is None
        time.sleep(0.1)
    os.kill(worker.pid, signal.SIGKILL)
    worker.wait()
    await_no_process_of(college.app_dir)
    with pytest.raises(UsageError, match="begun before, and how it ended is not known"):
        run_migration(college.environment(), operation, demand=agreed)


def test_the_failed_migrations_name_is_one_plain_word(college: College) -> None:
    """It becomes a word of a command: nothing that the database holds becomes an option or a path."""
    environment = college.environment()
    assert find_failed(environment) is None
    with pytest.raises(UsageError, match="is not known"):
        run_follow_up(environment, failed=None)
    for name in ("--help", "a b", "../x", "x" * 201, "$(id)", ""):
        with pytest.raises(UsageError, match="no plain name"):
            run_follow_up(environment, failed=name)
    execute(college.live, "INSERT INTO _prisma_migrations VALUES ('-x', NULL)")
    with pytest.raises(UsageError, match="no plain name"):
        find_failed(environment)
    execute(college.live, "INSERT INTO _prisma_migrations VALUES ('y', NULL)")
    with pytest.raises(UsageError, match="more than one value"):
        find_failed(environment)
