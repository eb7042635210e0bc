"""Reads which restore points a policy's environments have, as a process of its own that may be ended at any moment.

Called with the policy file, the moment (Unix time) until which it may work, and names of environments. It prints one
JSON object: by name, the ids and a table (Markdown) of those that could be read in time. Its stdin is a JSON object of
the connections that it needs, which no environment of a process has to hold.
"""

from __future__ import annotations

import json
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

from holdfast.catalog.choices import Choice, restore_choices
from holdfast.environment import open_environment
from holdfast.errors import HoldfastError
from holdfast.evidence.visible import code
from holdfast.values.airflow_conn import EnvironmentConnections


def main(policy_file: Path, until: float, names: list[str], connections: dict[str, str]) -> None:
    """Print what was found in time, then end at once: a store that does not answer is not waited for."""
    readers = ThreadPoolExecutor(max(1, len(names)))
    asked = {name: readers.submit(_offered, policy_file, name, connections) for name in names}
    wait(asked.values(), timeout=max(0.0, until - time.time()))
    found = {name: answer.result() for name, answer in asked.items() if answer.done() and answer.exception() is None}
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)


def _offered(policy_file: Path, name: str, connections: dict[str, str]) -> dict[str, object]:
    environment = open_environment(policy_file, name, EnvironmentConnections(connections))
    try:
        verifier = environment.verifier()
    except HoldfastError:  # a host that shows forms need not have the key; none counts as checked then
        verifier = None
    found = restore_choices(environment.catalog, verifier)
    return {"ids": [str(choice.id) for choice in found], "table": table(found)}


def table(choices: list[Choice]) -> str:
    """What a person chooses by (Markdown); empty where there is nothing to choose."""
    if not choices:
        return ""
    head = "| restore point | taken (UTC) | label | restored and compared |\n|---|---|---|---|"
    return "\n".join([head, *map(_row, choices)])


def _row(choice: Choice) -> str:
    label = code(choice.label) if choice.label else ""
    return f"| {code(str(choice.id))} | {choice.taken_at:%Y-%m-%d %H:%M} | {label} | {_CHECKED[choice.is_verified]} |"


_CHECKED = {True: "yes", False: "failed", None: "not yet"}

if __name__ == "__main__":
    main(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3:], json.load(sys.stdin))
