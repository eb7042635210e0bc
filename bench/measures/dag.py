"""How long Airflow needs for a DAG file of ours beyond an empty one."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.engine import INCLUDE
from bench.figures import Figure, Result, Target
from bench.running import run
from bench.session import Session

_PROJECT = INCLUDE.parent
_EMPTY = 'from airflow.sdk import DAG\n\nwith DAG("empty"):\n    pass\n'
_ROUNDS = 10


def measure(session: Session) -> Result:
    """Seconds of both files in forks of one warm process."""
    ours = _PROJECT / "dags" / "coursepedia.py"
    with _airflow_home(session.place.files) as home:
        empty = home / "dags" / "empty.py"
        empty.write_text(_EMPTY)
        rounds = max(session.rounds, _ROUNDS)
        probe = run([sys.executable, "-m", "bench.dag_probe", str(rounds), empty, ours], _environment(home))
        found: dict[str, list[float]] = json.loads(probe.output.splitlines()[-1])
    ours_s, empty_s = found[str(ours)], found[str(empty)]
    beyond = [own - base for own, base in zip(ours_s, empty_s, strict=True)]
    figures = (
        Figure.of("parsing dags/coursepedia.py", "s", ours_s),
        Figure.of("parsing an empty DAG file", "s", empty_s),
        Figure.of("beyond an empty one", "s", beyond),
    )
    return Result(figures, (Target("DAG file beyond an empty one", figures[2].median, 0.5, unit="s"),))


@contextmanager
def _airflow_home(files: Path) -> Iterator[Path]:
    home = files / "airflow"
    (home / "dags").mkdir(parents=True)
    try:
        yield home
    finally:
        shutil.rmtree(home)


def _environment(home: Path) -> dict[str, str]:
    folders = [INCLUDE, _PROJECT / "plugins", _PROJECT / "dags", _PROJECT]
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": ":".join(map(str, folders)),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(_PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "HOLDFAST_KEYS": str(home),
        "HOLDFAST_STATE": str(home),
    }
