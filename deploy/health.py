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


def http(url: str, part: str | None = None) -> str | None:
    """What is wrong with the server at ``url``, or with the part of Airflow that it reports on; None when well."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(url, timeout=TIMEOUT_S) as answer:
        if part is None:
            return None
        status = json.load(answer)[part]["status"]
    return None if status == "healthy" else f"{part} is {status}"


def worker(name: str) -> str | None:
    """What is wrong with the Celery worker; None when it answers. Without Airflow, whose import takes seconds."""
    from celery import Celery

    command = shlex.split(os.environ["AIRFLOW__CELERY__BROKER_URL_CMD"])
    broker = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    node = f"{name}@{socket.gethostname()}"
    with Celery(broker=broker, set_as_current=False) as app:
        answers = app.control.ping(destination=[node], timeout=TIMEOUT_S)
    return None if answers else f"worker {node} does not answer"


def main(arguments: list[str]) -> int:
    """Run one probe; its complaint goes to stderr, where `docker inspect` shows it."""
    probe = {"http": http, "worker": worker}[arguments[0]]
    try:
        complaint = probe(*arguments[1:])
    except (OSError, LookupError, ValueError) as error:
        complaint = f"{type(error).__name__}: {error}"
    if complaint:
        print(complaint, file=sys.stderr)
    return 1 if complaint else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
