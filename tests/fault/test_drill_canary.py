"""A secret in every place that a drill touches leaves no trace in what it says, stores, or shows to other processes."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.recovery.cluster import Cluster

CANARY = "Kan@ri/env#%7 löwe+1"
_ROW = "canary-row-4711"
_SPELLINGS = {CANARY, quote(CANARY, safe=""), quote(CANARY), quote_plus(CANARY)}
_DRILL = """
    drill:
      server: {conn_id: recovery}
      network: unconfined
      temporary_secrets: [SESSION_SECRET]
      commands:
        - sh -c 'echo "$DATABASE_URL"; env; echo "$DATABASE_URL" >&2; exit 3'
"""


@pytest.fixture
def site(pg15: Cluster, pg18: Cluster, make_site: MakeSite, tmp_path: Path) -> Iterator[Site]:
    """A shop with a restore point, and a recovery server whose password is the canary."""
    url = pg15.create_database("canary_shop")
    execute(url, f"CREATE TABLE people (name text); INSERT INTO people VALUES ('{_ROW}')")
    execute(pg18.url(), f"CREATE ROLE drill_canary LOGIN CREATEDB PASSWORD '{CANARY}'")
    site = make_site(url)
    site.backup()
    site.variables["HOLDFAST_RECOVERY"] = str(tmp_path / "recovery")
    site.variables["AIRFLOW_CONN_RECOVERY"] = pg18.url("postgres", user="drill_canary", password=CANARY)
    yield site
    execute(pg18.url(), "DROP ROLE drill_canary")
    execute(pg15.url(), "DROP DATABASE canary_shop")


def test_canary_is_nowhere(site: Site) -> None:
    """Neither in arguments, output, evidence, report nor what is left on the disk; nor is a row's content."""
    site.policy_file.write_text(site.policy_file.read_text() + _DRILL)
    with _arguments_watched() as seen:
        done = site.run("drill", str(site.policy_file), "production", expect=1)
    told = done.stdout + done.stderr
    assert b"exit status 3" in told
    stored = b"".join((site.store_folder / name).read_bytes() for name in site.stored_files())
    left = b"".join(path.read_bytes() for path in (site.folder.parent / "recovery").rglob("*") if path.is_file())
    for spelling in _SPELLINGS:
        for place, content in {"output": told, "store": stored, "recovery": left, "arguments": seen()}.items():
            assert spelling.encode() not in content, (spelling, place)
    assert _ROW.encode() not in told + stored


def test_a_query_tells_no_row(site: Site) -> None:
    """However it fails: with another answer, an error that quotes a value, or one that a function raises."""
    queries = {
        "other": "SELECT name FROM people",
        "cast": "SELECT name::int FROM people",
        "lookup": "SELECT name::regclass::text FROM people",
        "setting": "SELECT set_config(name, name, true) FROM people",
    }
    told = "".join(f'        {name}: {{sql: "{sql}", expect: "x"}}\n' for name, sql in queries.items())
    site.policy_file.write_text(site.policy_file.read_text() + f"\n    drill:\n      queries:\n{told}")
    done = site.run("drill", str(site.policy_file), "production", expect=1)
    stored = b"".join((site.store_folder / name).read_bytes() for name in site.stored_files())
    assert all(f"query {name}".encode() in done.stdout for name in queries)
    assert _ROW.encode() not in done.stdout + done.stderr + stored


@contextmanager
def _arguments_watched() -> Iterator[Callable[[], bytes]]:
    """Everybody's command lines, read again and again, as another user of the machine could."""
    seen: set[bytes] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            seen.update(
                subprocess.run(["cat", *_command_lines()], capture_output=True, check=False).stdout.split(b"\0\0")
            )
            time.sleep(0.02)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: b"\n".join(seen)
    finally:
        over.set()
        watcher.join()


def _command_lines() -> list[str]:
    return [str(path) for path in Path("/proc").glob("[0-9]*/cmdline")]
