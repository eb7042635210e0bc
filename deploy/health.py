"""Says by its exit status whether a service is well: the probe of docker-compose.yaml's health checks.

``health.py http URL [PART]`` wants status 200 and, with PART, that Airflow's health report calls that part healthy.
``health.py worker NAME`` wants an answer from the Celery worker NAME of this host.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import urllib.request

TIMEOUT_S = 8


def http(url: str, part: str = "") -> str:
    """What is wrong with the server at ``url``, or with the part of Airflow that it reports on; empty when well."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=TIMEOUT_S) as answer:
        status = json.load(answer)[part]["status"] if part else "healthy"
    return "" if status == "healthy" else f"{part} is {status}"


def worker(name: str) -> str:
    """What is wrong with the Celery worker; empty when it answers. Without Airflow, whose import takes seconds."""
    from celery import Celery  # type: ignore[import-untyped]

    command = shlex.split(os.environ["AIRFLOW__CELERY__BROKER_URL_CMD"])
    broker = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    node = f"{name}@{socket.gethostname()}"
    with Celery(broker=broker, set_as_current=False) as app:
        answers = app.control.ping(destination=[node], timeout=TIMEOUT_S)
    return "" if answers else f"worker {node} does not answer"


def complaint(probe: str, *arguments: str) -> str:
    """What one probe finds wrong, its own failure included."""
    try:
        return worker(*arguments) if probe == "worker" else http(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    # Where `docker inspect` shows it.
    sys.exit(complaint(*sys.argv[1:]) or 0)
