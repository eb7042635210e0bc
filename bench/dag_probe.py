"""Times the parsing of DAG files as Airflow does it: a fork of a warm process for each. Run by the measure ``dag``."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path


def main(rounds: int, files: list[Path]) -> None:
    """Print the seconds of each file, in turn, as one JSON object."""
    import airflow.sdk  # noqa: F401
    from airflow.dag_processing.dagbag import DagBag

    def parse(file: Path) -> str:
        started = time.perf_counter()
        bag = DagBag(file, safe_mode=False, load_op_links=False)
        seconds = time.perf_counter() - started
        if bag.import_errors or not bag.dags:
            return f"{file}: {bag.import_errors or 'no DAG'}"
        return str(seconds)

    found: dict[str, list[float]] = {str(file): [] for file in files}
    for number in range(rounds + 1):
        for file in files:
            seconds = _in_a_fork(partial(parse, file))
            if number:  # the first round compiles and fills the caches
                found[str(file)].append(seconds)
    print(json.dumps(found))


def _in_a_fork(act: Callable[[], str]) -> float:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writing, act().encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    os.waitpid(pid, 0)
    try:
        return float(said)
    except ValueError:
        sys.exit(said or "the parsing died")


if __name__ == "__main__":
    main(int(sys.argv[1]), [Path(name) for name in sys.argv[2:]])
