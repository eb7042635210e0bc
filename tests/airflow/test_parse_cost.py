"""What a DAG file costs each time Airflow parses it, which is every half minute for as long as it lives."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

EMPTY = """
from airflow.sdk import DAG, BaseOperator

with DAG("empty") as dag:
    BaseOperator(task_id="nothing")
"""
# What the DAG processor's children inherit is imported before the clock starts.
MEASURE = """
import json, runpy, sys, time
import airflow.sdk
from airflow.sdk import DAG, Asset, BaseOperator
began, before = time.perf_counter(), set(sys.modules)
found = runpy.run_path(sys.argv[1])
print(json.dumps({"seconds": time.perf_counter() - began, "modules": sorted(set(sys.modules) - before)}))
"""


@pytest.fixture
def parse(airflow_variables: Mapping[str, str]) -> Callable[[Path], Any]:
    """Parses one file in a fresh process; returns its seconds and the modules that it imported."""

    def measure(path: Path) -> Any:
        done = subprocess.run(
            [sys.executable, "-c", MEASURE, str(path)], env=airflow_variables, capture_output=True, check=True
        )
        return json.loads(done.stdout.splitlines()[-1])

    return measure


def test_dag_file_parses_within_half_a_second_of_an_empty_one(
    write_app: Callable[..., Path],
    environment: Callable[..., dict[str, object]],
    tmp_path: Path,
    parse: Callable[[Path], Any],
) -> None:
    """Two environments; the best of three alternating rounds, since the machine does other things too."""
    app = write_app("demo", production=environment(), staging=environment())
    empty = tmp_path / "empty.py"
    empty.write_text(EMPTY)
    rounds = [(parse(app), parse(empty)) for _ in range(3)]
    assert min(ours["seconds"] for ours, _ in rounds) - min(theirs["seconds"] for _, theirs in rounds) < 0.5
    imported = {name.partition(".")[0] for name in rounds[0][0]["modules"]}
    assert {"holdfast_dags", "holdfast_airflow"} <= imported
    assert not imported & {"cryptography", "obstore", "psycopg", "boto3", "zstandard", "fastapi", "sqlalchemy"}
