"""Airflow's four servers, each a process of its own, and whether they are well."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from holdfast.errors import PermanentError
from holdfast_embedded.airflow.api import AirflowApi
from holdfast_embedded.server import Server

# Logs are read from the shared folder; nothing else needs the two log servers, which listen on all addresses.
_COMMANDS = {
    "api-server": (),
    "scheduler": ("--skip-serve-logs",),
    "dag-processor": (),
    "triggerer": ("--skip-serve-logs",),
}
_START_S = 300


def start_airflow(project: Path, logs: Path, environment: Mapping[str, str]) -> list[Server]:
    """Start all four; they need a while until they are healthy."""
    return [
        Server(
            f"airflow {name}",
            (sys.executable, "-m", "airflow", name, *options),
            env=environment,
            cwd=project,
            log=logs / f"airflow-{name}.log",
        )
        for name, options in _COMMANDS.items()
    ]


def await_healthy(api: AirflowApi, servers: Iterable[Server]) -> None:
    """Return when every part tells of itself that it is healthy; raises PermanentError when one ends or none does."""
    deadline = time.monotonic() + _START_S
    while (unwell := api.unhealthy_parts()) and time.monotonic() < deadline:
        for server in servers:
            server.require()
        time.sleep(0.3)
    if unwell:
        raise PermanentError(f"airflow is not healthy after {_START_S} s: {', '.join(sorted(unwell))}")
