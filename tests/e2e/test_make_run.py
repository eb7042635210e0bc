"""`make run` on a copy of the project that has no state yet, as someone does who just cloned it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import quote

import pytest

from fix_postgres import execute
from holdfast.recovery.cluster import Cluster

PROJECT = Path(__file__).parents[2]
ENVIRONMENTS = ["campustrack development", "campustrack staging", "campustrack production", "coursepedia production"]
USUAL_PORTS = (8080, 8333, 15432)
LINE = re.compile(
    r"^(\w+ \w+) +(\d{8}T\d{6}Z-nightly-[0-9a-f]{6}) +([\d,]+) +([\d,]+) +(?:([\d,]+) +)?([\d.]+)"
    r"(?: +(failed|passed in [\d.]+ s))?$",
    re.MULTILINE,
)
# The environments whose policy has the tier restore_check.
CHECKED = {"campustrack staging", "campustrack production", "coursepedia production"}

pytestmark = pytest.mark.timeout(1200)  # a machine under load, and a venv to build


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


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """A fresh copy, removed in the end: its venv is large."""
    made = Copy(tmp_path_factory.mktemp("make run") / "holdfast")
    yield made
    shutil.rmtree(made.folder)


def await_true(condition: Callable[[], bool], copy: Copy, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, copy.said()
        time.sleep(0.2)


@pytest.fixture(scope="module")
def first(copy: Copy) -> str:
    """What the first run says, with every usual port taken by somebody else."""
    with ExitStack() as taken:
        for port in USUAL_PORTS:
            with suppress(OSError):  # somebody else holds it already
                taken.enter_context(socket.create_server(("127.0.0.1", port)))
                copy.taken_ports.add(port)
        status = copy.start("ONCE=1").wait(timeout=900)
    assert status == 0, copy.said()
    return copy.said()


def test_first_run_backs_up_every_environment(copy: Copy, first: str) -> None:
    """One command, no preparation: a restore point of each, the UI's address, the login, and a clean end."""
    lines = LINE.findall(first)
    assert [title for title, *_ in lines] == ENVIRONMENTS
    for _, _, size, rows, *_ in lines:
        assert int(size.replace(",", "")) > 10_000
        assert int(rows.replace(",", "")) > 500
    media_files = {title: int(files or 0) for title, *_, files, _, _ in lines}
    assert media_files.pop("coursepedia production") > 500
    assert set(media_files.values()) == {0}
    assert {title for title, *_, check in lines if check.startswith("passed")} == CHECKED
    password = (copy.state / "secrets/admin_password").read_text()
    login = re.search(r"^Airflow: http://127\.0\.0\.1:(\d+)   user admin, password (\w+)$", first, re.MULTILINE)
    assert login is not None
    assert int(login[1]) not in copy.taken_ports
    assert login[2] == password
    assert copy.processes() == set()


def test_state_is_one_folder_whose_secrets_nobody_else_reads(copy: Copy, first: str) -> None:
    """Nothing appears outside of it; secret files are 0600 in folders of 0700."""
    ours = {path.name for path in PROJECT.iterdir()} | {".holdfast", "output.txt"}
    assert {path.name for path in copy.folder.iterdir()} <= ours
    for folder in (copy.state / "secrets", copy.state / "keys"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    private = [*(copy.state / "secrets").iterdir(), copy.state / "keys/identity.txt", copy.state / "keys/signing.pem"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_no_secret_is_in_any_log(copy: Copy, first: str) -> None:
    """Neither the servers' logs nor the tasks' hold a generated password or key."""
    names = ("backup_password", "owner_password", "s3_secret_key", "jwt_secret", "fernet_key")
    secrets = [(copy.state / "secrets" / name).read_bytes() for name in names]
    for log in (copy.state / "logs").rglob("*"):
        if log.is_file():
            text = log.read_bytes()
            assert not [name for name, secret in zip(names, secrets, strict=True) if secret in text], log


def test_second_run_reuses_the_state_until_it_is_interrupted(copy: Copy, first: str, pg18: Cluster) -> None:
    """An own database replaces a demo one, another one fails by name, a third run is refused, Ctrl-C ends all."""
    password = "p@:/%#? w"
    own = pg18.create_database("own_database")
    # Not much smaller than what it replaces, which would be taken for the wrong database.
    execute(own, "CREATE TABLE t AS SELECT n, md5(n::text) FROM generate_series(1, 4321) AS n")
    execute(pg18.url(), f"CREATE ROLE own LOGIN PASSWORD '{password}' IN ROLE pg_read_all_data")
    chosen = {
        "AIRFLOW_CONN_CAMPUSTRACK_DEVELOPMENT_DB": pg18.url("own_database", "own", password).replace(
            "postgresql", "postgres"
        ),
        # The query for references to media finds no such table there.
        "AIRFLOW_CONN_COURSEPEDIA_PRODUCTION_DB": pg18.url("own_database", "own", password),
        "AIRFLOW_CONN_CAMPUSTRACK_STAGING_DB": pg18.url("no_such_database", "own", password),
    }
    assert quote(password, safe="") in chosen["AIRFLOW_CONN_CAMPUSTRACK_DEVELOPMENT_DB"]
    run = copy.start(**chosen)
    try:
        await_true(lambda: "Ctrl-C stops everything" in copy.said() or run.poll() is not None, copy, 600)
        said = copy.said()
        taken = {title: rows for title, _, _, rows, *_ in LINE.findall(said)}
        assert set(taken) == set(ENVIRONMENTS) - {"campustrack staging"}, said
        assert taken["campustrack development"] == taken["coursepedia production"] == "4,321"
        failures = [line for line in said.splitlines() if line.startswith("failed: ")]
        assert len(failures) == 2
        assert failures[0].startswith("failed: campustrack staging: ")
        assert "no_such_database" in failures[0]
        # The questions of the demo's policy do not fit a database of one's own.
        assert failures[1].startswith("failed: coursepedia production: restore check: queries: ")
        assert not {each for _, each, *_ in LINE.findall(first)} & {each for _, each, *_ in LINE.findall(said)}
        assert_listed(copy, [LINE.findall(text)[-1][1] for text in (first, said)])
        assert_refused(copy)
        os.killpg(run.pid, signal.SIGINT)
        run.wait(60)
        await_true(lambda: copy.processes() == set(), copy, 10)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        await_true(lambda: copy.processes() == set(), copy, 60)
        execute(pg18.url(), "DROP DATABASE own_database")
        execute(pg18.url(), "DROP ROLE own")


def assert_listed(copy: Copy, restore_points: list[str]) -> None:
    """The command line sees the same restore points, by the line that `make run` prints for it."""
    found = re.search(r"^command line: (.*)$", copy.said(), re.MULTILINE)
    assert found is not None
    listed = subprocess.run(
        ["sh", "-c", found[1]], cwd=copy.folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert listed.returncode == 0, listed.stderr
    assert re.findall(r"\d{8}T\d{6}Z-nightly-[0-9a-f]{6}", listed.stdout) == restore_points


def assert_refused(copy: Copy) -> None:
    """Another `make run` in the same folder says so in one line."""
    other = subprocess.run(
        ["make", "--silent", "run"], cwd=copy.folder, capture_output=True, text=True, check=False, timeout=60
    )
    assert other.returncode != 0
    assert re.fullmatch(r"holdfast: another `make run` \(process \d+\) is up in .*\n", other.stdout)
