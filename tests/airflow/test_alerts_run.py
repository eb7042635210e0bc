"""Pages from a running Airflow, received by a real listener: failed runs, missed deadlines, rounds of the watch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from fix_airflow import Airflow, await_true, running_airflow
from fix_environment import Site
from fix_postgres import execute
from fix_webhook import TOKEN, Webhook, closed_port, running_webhook
from holdfast.backup import commit_manifest, dump_database, open_restore_point, verify_list
from holdfast.crypto.keyfiles import new_keys
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.airflow.api import segment

pytestmark = pytest.mark.timeout(600)

NOW = datetime.now(UTC)
# Due hours ago, and not again while the tests run.
DAILY = f"0 {(NOW - timedelta(hours=6)).hour} * * *"
MONTHLY = f"0 3 {min((NOW + timedelta(days=14)).day, 28)} * *"
AWAY = "postgresql://postgres@127.0.0.1:1/shop"
# One try, and in staging no time to lose; otherwise what every app has.
APP_MODULE = """
from datetime import timedelta

from holdfast_dags import protect, tier_dag

tier_dag._RETRIES |= {"retries": 0}
tier_dag.deadline_of = lambda policy, tier: timedelta(seconds=2 if "staging" in policy.store.url else 3600)
globals().update(protect(__file__))  # Airflow looks for this word: DAG
"""
# Only when it is asked for.
WATCH_MODULE = """
from holdfast_dags import watch

watch.CronTriggerTimetable = lambda *_, **__: None
watch._RETRY = {"retries": 0}
dag = watch.watch(__file__)  # Airflow looks for this word: DAG
"""


@dataclass(frozen=True)
class Ward:
    """The running Airflow, the listener, and the file of connections, which each task and callback reads anew."""

    airflow: Airflow
    webhook: Webhook
    connections: Path
    database: str

    def connect(self, *, database: str | None = None, pager: str | None = None) -> None:
        """Let the database or the pager be elsewhere; where nothing is said, where it is well."""
        known = {
            "shop_db": database or self.database,
            "holdfast_pager": {"conn_type": "apprise", "extra": {"config": {"path": pager or self.webhook.url()}}},
        }
        self.connections.write_text(json.dumps(known))

    def watch(self) -> tuple[str, Any]:
        """A round of the watch: how its run ended, and what its task left in XCom."""
        run = self.airflow.api.post("dags/holdfast.watch/dagRuns", {"logical_date": None})
        path = f"dags/holdfast.watch/dagRuns/{segment(run['dag_run_id'])}"
        return self.airflow.end_of(path), self.airflow.returned(path, "watch")

    def pages(self, dag_id: str) -> list[str]:
        """The pages about a DAG that have arrived."""
        told = [each.message for each in list(self.webhook.requests)]
        return [
            f"{each['title']}\n{each['message']}"
            for each in told
            if each["type"] == "failure" and dag_id in each["message"]
        ]


def policy(folder: Path) -> dict[str, Any]:
    """An app with production, and a staging of which nothing is there yet."""
    keys = folder / "keys"

    def environment(name: str, **tiers: object) -> dict[str, Any]:
        return {
            "targets": {"rpo": "24h"},
            "database": {"conn_id": "shop_db"},
            "store": {"url": f"file://{folder}/store-{name}"},
            "keys": {
                "recipients_file": f"{keys}/recipient.txt",
                "identity_file": f"{keys}/identity.txt",
                "signing_key_file": f"{keys}/signing.pem",
                "verify_key_file": f"{keys}/signing.pub",
            },
            "tiers": tiers,
            "alerts": {"conn_id": "holdfast_pager"},
        }

    daily, monthly = {"schedule": DAILY, "keep": "35d"}, {"schedule": MONTHLY, "keep": "12mo"}
    production = environment("production", nightly=daily, monthly=monthly, snapshot={"keep": "90d"})
    return {"app": "shop", "environments": {"production": production, "staging": environment("staging", nightly=daily)}}


@pytest.fixture(scope="module")
def ward(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ward]:
    """Airflow for that app, and no other server than the listener that would take a message."""
    folder = tmp_path_factory.mktemp("ward")
    new_keys(folder / "keys")
    (folder / "dags").mkdir()
    (folder / "dags/shop.yaml").write_text(yaml.safe_dump(policy(folder)))
    (folder / "dags/shop.py").write_text(APP_MODULE)
    (folder / "dags/holdfast_watch.py").write_text(WATCH_MODULE)
    connections, url = folder / "connections.json", pg18.create_database("alerts_run")
    variables = {
        "AIRFLOW_CONN_SHOP_DB": url,  # the file's are taken first
        "HOLDFAST_STATE": str(folder / "state"),
        "AIRFLOW__WORKERS__SECRETS_BACKEND": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
        "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS": json.dumps({"connections_file_path": str(connections)}),
    }
    site = Site(folder, folder / "dags/shop.yaml", folder / "keys", folder / "store-production", variables)
    execute(url, "CREATE TABLE orders (id int PRIMARY KEY); INSERT INTO orders SELECT generate_series(1, 100)")
    try:
        with running_webhook() as webhook, running_airflow(pg18, site) as airflow:
            yield Ward(airflow, webhook, connections, url)
    finally:
        execute(pg18.url(), "DROP DATABASE alerts_run WITH (FORCE)")


def back_up(site: Site, opened_at: datetime) -> None:
    """A nightly backup of production, as one of another day."""
    environment = site.environment()
    id = open_restore_point(environment, tier="nightly", opened_at=opened_at, origin="by hand")
    for step in (dump_database, verify_list, commit_manifest):
        step(environment, id)


def test_failed_run_pages_once(ward: Ward) -> None:
    """Soon after it has failed, by the DAG's callback; the message says what and which."""
    ward.connect(database=AWAY)
    run = ward.airflow.trigger("snapshot", label="pre-deploy-1")
    assert ward.airflow.end_of(run) == "failed"
    await_true(lambda: ward.pages("shop-production.snapshot"), 60, "somebody is paged")
    [text] = ward.pages("shop-production.snapshot")
    for said in ("[page] shop/production", "dump", "What to do", "failed"):
        assert said in text


def test_missed_deadline_pages(ward: Ward) -> None:
    """Of a run that nobody starts: its DAG is paused."""
    ward.connect()
    dag = "dags/shop-staging.nightly"
    ward.airflow.api.patch(f"{dag}?update_mask=is_paused", {"is_paused": True})
    ward.airflow.api.post(f"{dag}/dagRuns", {"logical_date": None})
    await_true(lambda: ward.pages("shop-staging.nightly"), 60, "somebody is paged")
    [text] = ward.pages("shop-staging.nightly")
    assert "[page] shop/staging" in text


def test_watch_retries_what_did_not_arrive_and_says_it_once(ward: Ward) -> None:
    """A backup is missing: with the pager away the round is red; the next one tells of it, the one after nothing."""
    back_up(ward.airflow.site, NOW - timedelta(days=3))
    ward.connect(pager=f"json://127.0.0.1:{closed_port()}/{TOKEN}")
    state, said = ward.watch()
    assert state == "failed"
    missing = [each["dag"] for each in said["findings"] if each["kind"] == "never_started"]
    assert "shop-production.nightly" in missing
    assert [round["environment"] for round in said["rounds"] if round["undelivered"]] == ["production"]
    assert ward.pages("shop-production.nightly") == []

    ward.connect()
    assert ward.watch()[0] == "success"
    assert len(ward.pages("shop-production.nightly")) == 1
    before = len(ward.webhook.requests)
    assert ward.watch()[0] == "success"
    assert len(ward.webhook.requests) == before


def test_pager_that_hangs_holds_up_no_backup(ward: Ward) -> None:
    """A run fails and nobody takes the call; meanwhile a backup commits. The watch tells of both as soon as it can."""
    ward.webhook.hangs = True
    ward.connect(database=AWAY)
    assert ward.airflow.end_of(ward.airflow.trigger("monthly")) == "failed"
    ward.connect()
    backup = ward.airflow.trigger("nightly")
    assert ward.airflow.end_of(backup) == "success"
    assert len(ward.airflow.site.ids()) == 2
    assert ward.pages("shop-production.monthly") == []

    ward.webhook.hangs = False
    await_true(lambda: ward.watch()[0] == "success" and ward.pages("shop-production.monthly"), 120, "it is told of")
    resolved = [each.title for each in ward.webhook.requests if each.message["type"] == "success"]
    assert len(resolved) == 1 and "resolved" in resolved[0]
    for dag_id in ("shop-production.monthly", "shop-production.nightly", "shop-production.snapshot"):
        assert len(ward.pages(dag_id)) == 1, dag_id


def test_addresses_are_in_no_log(ward: Ward) -> None:
    """Neither those of tasks nor of servers and callbacks, though the pager was away, and hung."""
    logs = [path for path in ward.airflow.logs.rglob("*") if path.is_file()]
    assert any("holdfast.watch" in str(path) for path in logs)
    assert [path for path in logs if TOKEN in path.read_text(errors="replace")] == []
