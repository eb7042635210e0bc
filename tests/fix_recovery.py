"""Folders for recovery environments: open to the account that their servers run as, and empty again at the end."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.recovery import prepare_recovery, remove_recovery
from holdfast.recovery.account import recovery_account
from holdfast.recovery.launching import supervised

_INCLUDE = Path(__file__).parents[1] / "include"
NAME = "shop.production.20261122T090000Z-restore_drill-4f9c2a"


@pytest.fixture
def recovery_folder() -> Iterator[Path]:
    """A root of its own for each test."""
    with recovery_root_for_tests() as folder:
        yield folder


@contextmanager
def recovery_root_for_tests() -> Iterator[Path]:
    """A root that everybody may step through and nobody else may list; nothing may be left that works in it."""
    folder = Path(tempfile.mkdtemp(prefix="hf-test-", dir="/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        for entry in tuple(folder.iterdir()):
            remove_recovery(folder, entry.name)
    assert processes_of(folder) == []
    folder.rmdir()


@pytest.fixture
def prepared(recovery_folder: Path) -> Callable[..., Path]:
    """Makes the recovery environment ``NAME``; returns the root."""

    def prepare(*, major: int = 18, database: str = "shop") -> Path:
        prepare_recovery(recovery_folder, NAME, source_major=major, database=database, now=datetime.now(UTC))
        return recovery_folder

    return prepare


def processes_of(folder: Path) -> list[str]:
    """Command lines of all processes but ours that name the folder, or work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            here = str((process / "cwd").readlink())
        except OSError:
            continue
        if process.name != str(os.getpid()) and (str(folder) in words or here.startswith(str(folder))):
            found.append(words)
    return found


def await_no_process_of(folder: Path, seconds: float = 20) -> None:
    """Wait until nothing works in the folder any more."""
    deadline = time.monotonic() + seconds
    while left := processes_of(folder):
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def as_program(body: str, *arguments: str, user: int | None = None, prefix: tuple[str, ...] = ()) -> str:
    """What a program of our own prints; as another user it sees of closed folders only Python."""
    if user is not None:
        python = Path(sys.executable).resolve().parents[1]
        assert user == recovery_account().uid
        prefix = supervised(("mount",), recovery_account(), needed=(python, Path(sys.prefix), _INCLUDE))
    head = (
        "import json, shlex, sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from holdfast.errors import DrillError\nfrom holdfast.postgres.session import connect\n"
        "from holdfast.recovery import *\n"
    )
    lines = body.strip("\n").splitlines()
    indent = len(lines[0]) - len(lines[0].lstrip())
    ran = subprocess.run(
        [*prefix, sys.executable, "-c", head + "\n".join(line[indent:] for line in lines), *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_INCLUDE)},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
