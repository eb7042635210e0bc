"""The command `holdfast recover`: pausing at the target, going on, giving up, and taking tables out."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from fix_postgres import execute, rows
from fix_recover import History, names, started
from holdfast.pitr.destination import MARK


def test_the_command_pauses_and_goes_on(history: History, tmp_path: Path) -> None:
    """Read-only at the target until somebody resumes; then promoted as without a pause."""
    history.base()
    history.step("first")
    history.step("second")
    history.store()
    for target, seen in ((["--to", history.at["first"].isoformat()], ["first"]), (["--latest"], ["first", "second"])):
        data = tmp_path / f"recovered{len(seen)}"
        command = history.site.command(
            "recover",
            str(history.site.policy_file),
            "production",
            *target,
            "--data-dir",
            str(data),
            "--pause",
            "--json",
        )
        running = subprocess.Popen(
            command, env=history.site.surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        login = _paused(running)
        with psycopg.connect(login, autocommit=True) as session:
            assert [row[0] for row in session.execute("SELECT name FROM steps ORDER BY at")] == seen
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                session.execute("INSERT INTO steps (name) VALUES ('no')")
            session.execute("SELECT pg_wal_replay_resume()")
        out, said = running.communicate(timeout=60)
        assert running.returncode == 0, said
        assert json.loads(out)["timeline"] == 2
        with started(data, history.cluster) as url:
            assert names(url) == seen


def test_a_pause_that_is_given_up_says_what_is_left(history: History, tmp_path: Path) -> None:
    """The server is shut down, and the directory is marked; the same command begins anew."""
    history.base()
    history.step("first")
    history.store()
    data = tmp_path / "recovered"
    arguments = ("recover", str(history.site.policy_file), "production", "--latest", "--data-dir", str(data))
    running = subprocess.Popen(
        history.site.command(*arguments, "--pause"),
        env=history.site.surroundings(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    login = _paused(running)
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "is no whole cluster" in said
    assert (data / MARK).exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(login)
    assert history.site.json(*arguments)["reached_lsn"]
    assert not (data / MARK).exists()


def test_tables_are_taken_out(history: History, tmp_path: Path) -> None:
    """Just these, as they were, into a database that has none of that name."""
    url = history.cluster.url()
    execute(
        url, 'DROP SCHEMA IF EXISTS "My App" CASCADE; CREATE SCHEMA "My App"; CREATE TABLE "My App"."User" (id int)'
    )
    history.base()
    history.step("first", 'INSERT INTO "My App"."User" VALUES (1), (2)')
    history.step("second", 'DELETE FROM "My App"."User"')
    history.store()
    execute(url, "DROP DATABASE IF EXISTS beside")
    to = history.cluster.create_database("beside")
    arguments = (
        "recover",
        str(history.site.policy_file),
        "production",
        *("--to", history.at["first"].isoformat()),
        *("--table", '"My App"."User"', "--to-database", "beside_db"),
    )
    done = history.site.json(*arguments, AIRFLOW_CONN_BESIDE_DB=to)
    assert done["tables"] == [{"table": '"My App"."User"', "rows": 2}]
    assert rows(to, 'SELECT id FROM "My App"."User" ORDER BY 1') == [(1,), (2,)]
    again = history.site.json(*arguments, AIRFLOW_CONN_BESIDE_DB=to, expect=2)
    assert "has a table" in again["error"]
    execute(url, "DROP DATABASE beside")


def _paused(running: subprocess.Popen[str]) -> str:
    """How to log in to a paused server, as the command says it."""
    assert running.stderr is not None
    deadline = time.monotonic() + 60
    for line in running.stderr:
        if "look:" in line:
            return line.split('"')[1]
        assert time.monotonic() < deadline
    raise AssertionError(running.communicate())
