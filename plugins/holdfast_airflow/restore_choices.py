"""The restore points that a form offers, looked up while a DAG file is parsed, which may not fail or be held up by it.

A child process reads the store, for it can be ended; what it found is kept for a minute, in a file of the user's own
cache. Without an answer in time the form offers what was last found, or asks for an id and offers none.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airflow.sdk import get_parsing_context

from holdfast.policy import Policy, load_policy

_LOG = logging.getLogger(__name__)
_BUDGET_S = 2.0
_FRESH_S = 60.0
# What was found a day ago may still be what somebody wants: the id is checked again before anything is done.
_USEFUL_S = 86400.0
_AIRFLOW = ("AIRFLOW_", "_AIRFLOW_")
_READER = "holdfast_airflow.choices_reader"


@dataclass(frozen=True, slots=True)
class Choices:
    """The restore points that are offered, those first that were restored and compared: their ids, and a table."""

    ids: tuple[str, ...] = ()
    table: str = ""


NONE = Choices()


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found for the environments of a policy, and when it was last tried to find it (Unix time)."""

    tried_at: float
    found_at: float = 0.0
    environments: Mapping[str, Choices] = field(default_factory=dict)


_KEPT: dict[Path, _Found] = {}
"""What this process has found: one file's environments are looked up once."""


def choices_of(policy_file: Path, environment: str, *, budget_s: float = _BUDGET_S) -> Choices:
    """The newest restore points of an environment; none where they cannot be had within the budget. Never raises."""
    if get_parsing_context().task_id is not None:
        return NONE  # a worker parses the file for one task's sake, and shows no form
    try:
        return _looked_up(policy_file, budget_s).environments.get(environment, NONE)
    except Exception as error:  # a form without proposals is still a form
        _LOG.warning("restore points of %s: not offered: %s", policy_file.name, type(error).__name__)
        return NONE


def _looked_up(policy_file: Path, budget_s: float) -> _Found:
    now = time.time()
    kept = _KEPT.get(policy_file) or _read(policy_file) or _Found(0.0)
    if not 0 <= now - kept.tried_at < _FRESH_S:
        policy = load_policy(policy_file)
        names = [name for name in policy.environments if _may_hold_any(policy, name)]
        found = _within(budget_s, policy_file, policy, names) if names else {}
        useful = kept.environments if now - kept.found_at < _USEFUL_S else {}
        kept = _Found(now, now if found else kept.found_at, {**useful, **found})
        _write(policy_file, kept)
    _KEPT[policy_file] = kept
    return kept


def _may_hold_any(policy: Policy, environment: str) -> bool:
    """A directory that is not there needs no looking."""
    url = urlsplit(policy.environments[environment].store.url)
    return url.scheme != "file" or Path(unquote(url.path)).is_dir()


def _within(budget_s: float, policy_file: Path, policy: Policy, names: list[str]) -> dict[str, Choices]:
    """What can be found within the budget; a thread, since a secrets backend may not answer either."""
    found: dict[str, Choices] = {}
    deadline = time.monotonic() + budget_s
    thread = threading.Thread(target=_ask, args=(policy_file, policy, names, deadline, found), daemon=True)
    thread.start()
    thread.join(budget_s)
    missing = [name for name in names if name not in found]
    if missing:
        _LOG.warning("restore points of %s: not offered for %s", policy_file.name, ", ".join(missing))
    return dict(found)


def _ask(policy_file: Path, policy: Policy, names: list[str], deadline: float, found: dict[str, Choices]) -> None:
    with suppress(Exception):  # whoever waits sees that nothing was found
        connections = json.dumps(_connections(policy, names)).encode()
        # Policies name variables in their places; what Airflow's own hold (keys, connections) is not for the reader.
        variables = {name: value for name, value in os.environ.items() if not name.startswith(_AIRFLOW)}
        variables["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return
        done = subprocess.run(
            [sys.executable, "-m", _READER, str(policy_file), f"{time.time() + left_s * 0.9:.3f}", *names],
            env=variables,
            input=connections,
            capture_output=True,
            timeout=left_s,
            check=True,
        )
        for name, each in json.loads(done.stdout).items():
            found[name] = Choices(tuple(each["ids"]), each["table"])


def _connections(policy: Policy, names: list[str]) -> dict[str, str]:
    """The connections of the stores, by the names of variables; the reader is told them by its stdin."""
    from holdfast_airflow.connections import AirflowConnections

    variables = {}
    for conn_id in {policy.environments[name].store.conn_id for name in names} - {None}:
        with suppress(Exception):  # the reader then says that it is missing, and goes on with the others
            found = AirflowConnections().get(str(conn_id))
            fields = ("conn_type", "host", "port", "login", "password", "schema", "extra")
            variables[f"AIRFLOW_CONN_{str(conn_id).upper()}"] = json.dumps(
                {each: getattr(found, each) for each in fields}
            )
    return variables


def _read(policy_file: Path) -> _Found | None:
    with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        kept = json.loads(_place(policy_file).read_text(encoding="utf-8"))
        offered = {name: Choices(tuple(each["ids"]), each["table"]) for name, each in kept["environments"].items()}
        return _Found(float(kept["tried_at"]), float(kept["found_at"]), offered)
    return None


def _write(policy_file: Path, found: _Found) -> None:
    offered = {name: {"ids": each.ids, "table": each.table} for name, each in found.environments.items()}
    text = json.dumps({"tried_at": found.tried_at, "found_at": found.found_at, "environments": offered})
    with suppress(OSError):  # then every process looks for itself
        place = _place(policy_file)
        place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=place.parent)  # for this user's eyes alone
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(place)


def _place(policy_file: Path) -> Path:
    """In the user's cache, never in a folder that others can write to."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    named = hashlib.sha256(str(policy_file.resolve()).encode()).hexdigest()[:16]
    return Path(base) / "holdfast" / f"choices-{policy_file.stem}-{named}.json"
