"""Airflow as it really runs, for one app: its servers, their API, and what is needed to follow their tasks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fix_environment import POLICY, PROJECT, Site
from fix_postgres import execute
from holdfast.crypto.keyfiles import new_keys
from holdfast.recovery.cluster import Cluster
from holdfast.recovery.loopback import unused_port
from holdfast_embedded.airflow.api import AirflowApi, segment
from holdfast_embedded.airflow.environment import ADMIN, DATABASE, airflow_environment
from holdfast_embedded.airflow.metadata import make_metadata
from holdfast_embedded.airflow.servers import await_healthy, start_airflow
from holdfast_embedded.generated import Secrets
from holdfast_embedded.server import end_all
from holdfast_embedded.state import State

MODULE = "# Airflow\nfrom holdfast_dags import protect\n\nglobals().update(protect(__file__))\n"
# Retries at once: half a minute is right for people, but long for tests that kill what works.
HASTY_MODULE = """
from datetime import timedelta

from holdfast_dags import protect, tier_dag

tier_dag._RETRIES |= {"retry_delay": timedelta(seconds=1), "retry_exponential_backoff": 1}
globals().update(protect(__file__))  # Airflow looks for this word: DAG
"""
_HASTE = {
    # Every step of a run waits half as long as this on average.
    "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    # Tasks read the policy themselves; to read unchanged DAG files again costs more than most else that Airflow does.
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "120",
}


@dataclass(frozen=True)
class Airflow:
    """Airflow's servers at work for one app."""

    api: AirflowApi
    url: str
    password: str
    logs: Path
    cluster: Cluster
    site: Site

    def trigger(self, tier: str = "nightly", **form: object) -> str:
        """Start a run of one of the app's DAGs; returns its place below the API."""
        dag = f"dags/shop-production.{tier}"
        await_true(lambda: self.api.get(dag) is not None, 90, "the DAG is known")
        run = self.api.post(f"{dag}/dagRuns", {"logical_date": None, "conf": form})
        return f"{dag}/dagRuns/{segment(run['dag_run_id'])}"

    def end_of(self, run: str, within_s: float = 240) -> str:
        """The state in which a run ends."""
        await_true(lambda: self.api.get(run)["state"] in ("success", "failed"), within_s, "the run ends")
        return str(self.api.get(run)["state"])

    def task(self, run: str, task_id: str) -> dict[str, Any]:
        """What Airflow says of one task of the run."""
        found: dict[str, Any] = self.api.get(f"{run}/taskInstances/{task_id}") or {}
        return found

    def returned(self, run: str, task_id: str) -> Any:
        """What a task of the run returned."""
        return self.api.get(f"{run}/taskInstances/{task_id}/xcomEntries/return_value")["value"]


def app_site(folder: Path, variables: Mapping[str, str]) -> Site:
    """An app whose policy and module stand in a folder of DAGs, with a store in a directory."""
    new_keys(folder / "keys")
    store = folder / "store"
    (folder / "dags").mkdir()
    (folder / "dags" / "shop.yaml").write_text(
        POLICY.format(store_url=f"file://{store}", store_conn="null", keys=folder / "keys")
    )
    (folder / "dags" / "shop.py").write_text(MODULE)
    return Site(folder, folder / "dags" / "shop.yaml", folder / "keys", store, dict(variables))


@contextmanager
def running_airflow(cluster: Cluster, site: Site) -> Iterator[Airflow]:
    """The API server, scheduler, DAG processor and triggerer, with PostgreSQL for their metadata."""
    state = State(site.folder / "state")
    state.prepare()
    secrets = Secrets.load(state.secrets)
    port = unused_port()
    variables = airflow_environment(PROJECT, state, secrets, cluster, ui_port=port, caller=os.environ)
    places = {
        "PYTHONPATH": f"{PROJECT}/include:{PROJECT}/dags",
        "AIRFLOW__CORE__DAGS_FOLDER": str(site.policy_file.parent),
    }
    variables |= _HASTE | site.variables | places
    make_metadata(cluster, secrets, variables, PROJECT, state.logs)
    servers = start_airflow(PROJECT, state.logs, variables)
    try:
        url = f"http://127.0.0.1:{port}"
        api = AirflowApi(url, ADMIN, secrets.admin_password)
        await_healthy(api, servers)
        yield Airflow(api, url, secrets.admin_password, state.logs, cluster, site)
    finally:
        end_all(servers, 10)
        execute(cluster.url(), f"DROP DATABASE {DATABASE} WITH (FORCE)")


def await_true(condition: Callable[[], Any], within_s: float, what: str, every_s: float = 0.3) -> None:
    """Wait until the condition holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {what}"
        time.sleep(every_s)


def command_line(pid: int) -> bytes:
    """A process's arguments; nothing once it is gone."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    return command_line(pid) != b""
