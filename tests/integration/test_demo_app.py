"""The demo's application, run by pnpm without a network against its database through a unix socket."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from fix_demo_app import DEMO, AppCommand, DemoApp
from fix_postgres import execute, rows
from holdfast.recovery.cluster import Cluster

AREAS = ["login", "enrollment", "lesson progress", "email templates", "certificates", "audit log"]


def test_sound_data_is_reconciled_and_passes(app_command: AppCommand, demo_database: str) -> None:
    """Derived totals are written, once; then every area of the check is in order."""
    stale = rows(demo_database, "SELECT sum(revenue_cents) FROM course_totals")
    first = app_command("pnpm db:reconcile")
    assert first.returncode == 0, first.stdout + first.stderr
    assert "ok     course totals: 22 courses had other totals" in first.stdout
    paid = rows(demo_database, "SELECT sum(total_cents) FROM orders WHERE status = 'paid'")
    assert rows(demo_database, "SELECT sum(revenue_cents) FROM course_totals") == paid != stale
    assert "ok     course totals: 0 courses" in app_command("pnpm db:reconcile").stdout
    checked = app_command("pnpm check")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert [line[7:].partition(":")[0] for line in checked.stdout.splitlines() if line.startswith("ok ")] == AREAS
    assert "426 codes have their links; of 852 pictures 852 are here and whole" in checked.stdout


def test_sequence_left_behind_is_moved(app_command: AppCommand, demo_database: str) -> None:
    """The next order after the switch must not ask for a number that is taken."""
    execute(demo_database, "ALTER SEQUENCE payments_id_seq RESTART 3; ALTER SEQUENCE order_number_seq RESTART 100001")
    assert "moved public.payments_id_seq, public.order_number_seq" in app_command("pnpm db:reconcile").stdout
    columns = "user_id, course_id, status, total_cents, created_at"
    execute(demo_database, f"INSERT INTO orders ({columns}) VALUES (14, 1, 'pending', 1, now())")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"PAYMENTS_ENABLED": "true"}, "PAYMENTS_ENABLED is true, the check runs only with false"),
        ({"PAYMENTS_ENABLED": None}, "PAYMENTS_ENABLED is not set"),
        ({"EMAIL_DELIVERY": "smtp"}, "EMAIL_DELIVERY is smtp, the check runs only with disabled"),
        ({"SESSION_SECRET": None}, "SESSION_SECRET is not set"),
    ],
)
def test_check_refuses_settings_that_reach_the_world(
    app_command: AppCommand, settings: dict[str, str | None], said: str
) -> None:
    """Before it even connects."""
    done = app_command("pnpm check", **settings, DATABASE_URL="postgresql://nobody:x@/none?host=/nowhere")
    assert done.returncode == 1
    assert f"FAILED settings: {said}" in done.stderr
    assert "nowhere" not in done.stderr


@pytest.mark.parametrize("script", ["db:reconcile", "check"])
def test_database_that_cannot_be_reached_fails_in_one_line(app_command: AppCommand, script: str) -> None:
    """Nothing of the URL's password is said."""
    done = app_command(f"pnpm {script}", DATABASE_URL="postgresql://someone:s3cr3tword@/none?host=/nowhere")
    assert done.returncode == 1
    assert "FAILED connect ENOENT /nowhere/.s.PGSQL.5432" in done.stderr
    assert "s3cr3tword" not in done.stdout + done.stderr


def test_sample_of_the_media_passes_and_a_broken_picture_does_not(
    app_command: AppCommand, demo_database: str, tmp_path: Path
) -> None:
    """Pictures that were not restored are counted as not here; those that were must be pictures."""
    paths = [str(path) for (path,) in rows(demo_database, "SELECT qr_path FROM certificates ORDER BY id LIMIT 2")]
    sample = tmp_path / "sample"
    (sample / "qr").mkdir(parents=True)

    def check() -> str:
        done = app_command("node src/check.js", STORAGE_PATH=str(sample))
        return f"{done.returncode} {done.stdout} {done.stderr}"

    assert "of 852 pictures 0 are here" in check()
    (sample / paths[0]).write_bytes(b"\x89PNG\r\n\x1a\n")
    assert "of 852 pictures 1 are here" in check()
    (sample / paths[1]).write_bytes(b"")
    said = check()
    assert said.startswith("1 ")
    assert f"FAILED certificates: 1 files are no pictures: {paths[1]}" in said


def test_url_may_hold_any_password(app_command: AppCommand, demo_cluster: Cluster) -> None:
    """Also one that must be spelt otherwise in a URL."""
    password = "p@ss/word?:%&#x'"
    role = sql.Identifier("app_of_odd_password")
    with psycopg.connect(demo_cluster.url(), autocommit=True) as session:
        session.execute(sql.SQL("CREATE ROLE {} LOGIN SUPERUSER PASSWORD {}").format(role, sql.Literal(password)))
        url = demo_cluster.url(DEMO.name, role.as_string(), password).replace("%22", "")
        done = app_command("node src/check.js", DATABASE_URL=url)
        session.execute(sql.SQL("DROP ROLE {}").format(role))
    assert done.returncode == 0, done.stderr


def test_scripts_change_nothing_of_what_is_installed(app_command: AppCommand, demo_app: DemoApp) -> None:
    """The account that runs them may not write there; pnpm neither installs anything nor asks for updates."""
    before = sorted((path, path.lstat().st_mtime_ns) for path in demo_app.folder.rglob("*"))
    done = app_command("pnpm check")
    assert done.returncode == 0
    assert "update" not in (done.stdout + done.stderr).lower()
    assert sorted((path, path.lstat().st_mtime_ns) for path in demo_app.folder.rglob("*")) == before
