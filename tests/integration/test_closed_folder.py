"""The embedded PostgreSQL runs wherever the project lies, even below a folder that is closed to its user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fix_postgres import FAST, rows
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster

_INCLUDE = Path(__file__).parents[2] / "include"


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The wheel's programs in a closed folder whose name has a space, as those of a project in root's home."""
    closed = tmp_path / "closed folder"
    closed.mkdir(mode=0o700)
    shutil.copytree(wheel_folder().parent, closed / "postgresql", symlinks=True)
    return closed / "postgresql/bin"


def test_server_runs_below_a_closed_folder(programs: Path) -> None:
    """Programs, data and all."""
    with Cluster(programs.parent.parent / "cluster", programs, config=FAST) as cluster:
        assert rows(cluster.url(), "SELECT 1") == [(1,)]


@pytest.mark.parametrize(
    ("dropped", "outcome"), [("-dac_read_search", "up"), ("-dac_read_search,-dac_override", "cannot reach")]
)
def test_containers_root_runs_it_or_is_told_why_not(programs: Path, dropped: str, outcome: str) -> None:
    """Root may lack capabilities: the next best one does, and without any it says so before anything starts."""
    program = (
        "import sys; from pathlib import Path; from holdfast.recovery.cluster import Cluster\n"
        "from holdfast.errors import HoldfastError\n"
        "try:\n"
        "    with Cluster(Path(sys.argv[1]), Path(sys.argv[2]), config={'fsync': 'off'}): print('up')\n"
        "except HoldfastError as error: print(error)\n"
    )
    limits = [] if os.geteuid() else ["setpriv", f"--bounding-set={dropped}", "--inh-caps=-all", "--"]
    ran = subprocess.run(
        [*limits, sys.executable, "-c", program, str(programs.parent.parent / "cluster"), str(programs)],
        env={**os.environ, "PYTHONPATH": str(_INCLUDE)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert (outcome if not os.geteuid() else "up") in ran.stdout, ran.stderr
