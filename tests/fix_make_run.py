"""`make run` on a copy of the project that has no state yet, as someone does who just cloned it; started twice."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from fix_postgres import execute
from holdfast.recovery.cluster import Cluster

PROJECT = Path(__file__).parents[1]
LINE = re.compile(
    r"^(\w+ \w+) +(\d{8}T\d{6}Z-nightly-[0-9a-f]{6}) +([\d,]+) +([\d,]+) +(?:([\d,]+) +)?([\d.]+)"
    r"(?: +(failed|passed in [\d.]+ s))?$",
    re.MULTILINE,
)
BASE_BACKUP = re.compile(
    r"^(\w+ \w+): base backup (\d{8}T\d{6}Z-base_backup-[0-9a-f]{6}), (full|incremental), .* WAL up to [0-9A-F]+/\w+$",
    re.MULTILINE,
)
_USUAL_PORTS = (8080, 8333, 15432)
_UI = re.compile(r"^Airflow: (http://127\.0\.0\.1:\d+)   user admin, password (\w+)$", re.MULTILINE)
_OWN_PASSWORD = "p@:/%#? w"


class Copy:
    """The project's files in a folder of their own, and what runs there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken_ports: set[int] = set()
        shutil.copytree(
            PROJECT, folder, ignore=shutil.ignore_patterns(".git", ".holdfast", "__pycache__"), symlinks=True
        )

    @property
    def state(self) -> Path:
        return self.folder / ".holdfast"

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        """`make run`, its output in a file, in a process group as a terminal gives it."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
        with self.output.open("w") as output:
            return subprocess.Popen(
                ["make", "run", *arguments],
                cwd=self.folder,
                env={**inherited, **variables},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                text=True,
            )

    @property
    def output(self) -> Path:
        return self.folder / "output.txt"

    def said(self) -> str:
        return self.output.read_text()

    def processes(self) -> set[str]:
        """The command lines of all processes that run our programs, work in our folders or name them."""
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                places = [command, str((process / "cwd").readlink()), str((process / "exe").readlink())]
                if any(str(self.folder) in place for place in places):
                    found.add(command)
        return found

    def await_true(self, condition: Callable[[], bool], seconds: float) -> None:
        """Wait until it holds; what was said so far is the failure's text."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.2)


@dataclass(frozen=True)
class Round:
    """What `make run` said up to the end of its first round, and which processes ran then."""

    said: str
    processes: frozenset[str]

    @property
    def ui(self) -> tuple[str, str]:
        """The UI's address and the administrator's password."""
        found = _UI.search(self.said)
        assert found is not None, self.said
        return found[1], found[2]


@dataclass(frozen=True)
class Serving:
    """A `make run` that stays up, and what it said by then."""

    copy: Copy
    run: subprocess.Popen[str]
    round: Round

    def interrupt(self) -> None:
        """Ctrl-C; returns once nothing of it runs any more."""
        os.killpg(self.run.pid, signal.SIGINT)
        self.run.wait(60)
        self.copy.await_true(lambda: self.copy.processes() == set(), 10)


@pytest.fixture(scope="session")
def project_copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A fresh copy, removed in the end: its venv is large."""
    made = Copy(tmp_path_factory.mktemp("make run") / "holdfast")
    yield made
    shutil.rmtree(made.folder)


@pytest.fixture(scope="session")
def first_round(project_copy: Copy) -> Round:
    """A `make run` that ends with its round, with every usual port taken by somebody else."""
    with ExitStack() as taken:
        for port in _USUAL_PORTS:
            with suppress(OSError):  # somebody else holds it already
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
                project_copy.taken_ports.add(port)
        status = project_copy.start("ONCE=1").wait(timeout=900)
    assert status == 0, project_copy.said()
    return Round(project_copy.said(), frozenset(project_copy.processes()))


@pytest.fixture(scope="session")
def serving(project_copy: Copy, first_round: Round, pg18: Cluster) -> Iterator[Serving]:
    """The next `make run` there, which stays up: two environments have a database of their own, one a missing one."""
    own = pg18.create_database("own_database")
    # Not much smaller than what it replaces, which would be taken for the wrong database.
    execute(own, "CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 4321) AS n")
    execute(pg18.url(), f"CREATE ROLE own LOGIN PASSWORD '{_OWN_PASSWORD}' IN ROLE pg_read_all_data")
    chosen = {
        "AIRFLOW_CONN_CAMPUSTRACK_DEVELOPMENT_DB": pg18.url("own_database", "own", _OWN_PASSWORD).replace(
            "postgresql", "postgres"
        ),
        # The query for references to media finds no such table there.
        "AIRFLOW_CONN_COURSEPEDIA_PRODUCTION_DB": pg18.url("own_database", "own", _OWN_PASSWORD),
        "AIRFLOW_CONN_CAMPUSTRACK_STAGING_DB": pg18.url("no_such_database", "own", _OWN_PASSWORD),
    }
    assert quote(_OWN_PASSWORD, safe="") in chosen["AIRFLOW_CONN_CAMPUSTRACK_DEVELOPMENT_DB"]
    run = project_copy.start(**chosen)
    try:
        project_copy.await_true(lambda: "Ctrl-C stops everything" in project_copy.said() or run.poll() is not None, 600)
        assert run.poll() is None, project_copy.said()
        yield Serving(project_copy, run, Round(project_copy.said(), frozenset(project_copy.processes())))
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        project_copy.await_true(lambda: project_copy.processes() == set(), 60)
        execute(pg18.url(), "DROP DATABASE own_database")
        execute(pg18.url(), "DROP ROLE own")
