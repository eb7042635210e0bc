"""Airflow as it really runs, with secrets in its connections: none of them leaves, whatever runs and fails."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from canary import Canary, Processes, files_below, hits, watched_processes
from fix_airflow import HASTY_MODULE, Airflow, app_site, await_true, running_airflow
from fix_environment import Site
from fix_postgres import execute
from fix_recovery import recovery_root_for_tests
from fix_wal import drop_slot
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.airflow.api import segment
from holdfast_embedded.airflow.environment import DATABASE

LOGIN, HOOK, WRONG, STORE, COMMAND = map(Canary.hatch, ("Login", "Hook", "Wrong", "Store", "Command"))
TOKEN, CARD = Canary.token("Token"), Canary.card()
ALL = (LOGIN, HOOK, WRONG, STORE, COMMAND, TOKEN, CARD)
# No secret: the name of the login, which must be found where the others are looked for, or nothing was read there.
PUBLIC = Canary.token("Public")
SLOT = "holdfast_canary"
# As applications do when they fail: what they were given, and what they found.
LEAK = f"""#!/bin/sh
echo "connecting to postgres://app:{COMMAND.encoded}@db.example:5432/shop"
echo 'SMTP_PASSWORD="{TOKEN.value}"'
echo "Authorization: Bearer {TOKEN.value}" >&2
echo "refused card {CARD.value} ({CARD.middle})" >&2
exit 3
"""
WATCH = "# Airflow\nfrom holdfast_dags.watch import watch\n\ndag = watch(__file__)\n"
# One try more is enough.
MODULE = HASTY_MODULE.replace("{", '{"retries": 1, ', 1)
EXPECTED = {
    "shop-production.nightly": "success",
    "shop-wrong.nightly": "failed",
    "shop-away.nightly": "failed",
    "shop-refused.nightly": "failed",
}
DRILL, COMMAND_TASK = "shop-production.restore_drill", "sh_leak_sh"


@dataclass
class Listener:
    """A server on loopback: a webhook for POST, and a store that refuses everybody."""

    port: int
    received: list[bytes] = field(default_factory=list)


@contextmanager
def listener() -> Iterator[Listener]:
    """Listen until the end."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.received.append(self.rfile.read(int(self.headers["Content-Length"] or 0)))
            self._answer(200, b"")

        def do_GET(self) -> None:
            headers = str(self.headers).encode()
            self._answer(403, b"<Error><Code>AccessDenied</Code><Message>refused: " + headers + b"</Message></Error>")

        do_HEAD = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names are the library's

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Listener(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.fixture
def site(wal18: Cluster, tmp_path: Path) -> Iterator[Site]:
    """A shop and three environments that cannot work; its connections are not in anybody's variables."""
    with recovery_root_for_tests() as recovery:
        execute(wal18.create_database("canary_airflow"), "CREATE TABLE orders AS SELECT generate_series(1, 500) AS id")
        quoted = LOGIN.value.replace("'", "''")
        execute(wal18.url(), f"CREATE ROLE \"{PUBLIC.value}\" SUPERUSER LOGIN REPLICATION PASSWORD '{quoted}'")
        made = app_site(tmp_path, {"HOLDFAST_RECOVERY": str(recovery)})
        made.policy_file.with_suffix(".py").write_text(MODULE)
        (made.policy_file.parent / "holdfast_watch.py").write_text(WATCH)
        _furnish(made)
        yield made
    drop_slot(wal18.url(), SLOT)
    execute(wal18.url(), "DROP DATABASE canary_airflow WITH (FORCE)")
    execute(wal18.url(), f'DROP ROLE "{PUBLIC.value}"')


def _furnish(site: Site) -> None:
    for folder in ("media", "app"):
        (site.folder / folder).mkdir()
    (site.folder / "media/one.txt").write_text("lesson 1")
    (site.folder / "app/leak.sh").write_text(LEAK)
    policy = yaml.safe_load(site.policy_file.read_text())
    production = policy["environments"]["production"]
    alerts = {"alerts": {"conn_id": "pager"}}
    plain = {"keys": production["keys"], "tiers": {"nightly": {"keep": "35d"}}, **alerts}
    for name in ("wrong", "away", "refused"):
        policy["environments"][name] = {**plain, "store": production["store"], "database": {"conn_id": name}}
    policy["environments"]["refused"]["store"] = {"url": "s3://bucket/x", "conn_id": "refused_store"}
    production |= {
        "database": {"conn_id": "shop_db", "pitr": "streaming"},
        "wal": {"slot": SLOT, "ship_every": "1s", "mark_every": "1s"},
        "media": {"source": f"file://{site.folder}/media"},
        "drill": {"app_dir": str(site.folder / "app"), "commands": ["sh leak.sh"]},
        "tiers": {"nightly": {"keep": "35d"}, "restore_drill": {}, "wal": {"schedule": "continuous", "keep": "7d"}},
        **alerts,
    }
    site.policy_file.write_text(yaml.safe_dump(policy, sort_keys=False))


def _connections(cluster: Cluster, hook: Listener) -> list[dict[str, Any]]:
    """As an administrator adds them: Airflow keeps them encrypted."""
    database = {"conn_type": "postgres", "host": "127.0.0.1", "port": cluster.port, "schema": "canary_airflow"}
    login = {**database, "login": PUBLIC.value}
    endpoint = {"endpoint_url": f"http://127.0.0.1:{hook.port}", "region_name": "us-east-1"}
    url = f"json://hook:{HOOK.encoded}@127.0.0.1:{hook.port}/{TOKEN.value}/alert"
    return [
        {"connection_id": "shop_db", **login, "password": LOGIN.value},
        {"connection_id": "wrong", **login, "password": WRONG.value},
        {"connection_id": "away", **login, "port": 1, "password": WRONG.value},
        {"connection_id": "refused", **login, "password": LOGIN.value},
        {
            "connection_id": "refused_store",
            "conn_type": "aws",
            "login": "HFREFUSED",
            "password": STORE.value,
            "extra": json.dumps({**endpoint, "aws_session_token": TOKEN.value}),
        },
        {
            "connection_id": "pager",
            "conn_type": "apprise",
            "extra": json.dumps({"config": {"path": url, "tag": "ops"}}),
        },
    ]


@pytest.mark.timeout(540)
def test_no_secret_leaves_airflow(site: Site, wal18: Cluster) -> None:
    """Neither in its logs, its database, its API, nor in what it stores, tells people, or shows to other processes."""
    with listener() as hook, watched_processes(*ALL) as processes, running_airflow(wal18, site) as airflow:
        for connection in _connections(wal18, hook):
            airflow.api.post("connections", connection)
        runs = _run_all(airflow)
        channels = _channels(airflow, runs, hook)
    assert hits(channels, ALL) == []
    assert not processes.hits
    _demand_that_all_was_read(channels, processes)


def _run_all(airflow: Airflow) -> list[str]:
    """Trigger runs side by side and wait for them; then a drill, as far as the application's command, and the watch."""
    for dag in EXPECTED:
        await_true(lambda dag=dag: airflow.api.get(f"dags/{dag}") is not None, 120, f"{dag} is known")
    runs = [_triggered(airflow, dag) for dag in EXPECTED]
    assert {run.split("/")[1]: airflow.end_of(run) for run in runs} == EXPECTED
    drill, watch = _triggered(airflow, DRILL, reason="the quarter"), _triggered(airflow, "holdfast.watch")
    assert airflow.end_of(watch) == "success"
    ended = ("success", "failed")
    await_true(lambda: airflow.task(drill, COMMAND_TASK).get("state") in ended, 240, "the command has run")
    return [*runs, drill, watch]


def _triggered(airflow: Airflow, dag: str, **form: str) -> str:
    runs = f"dags/{dag}/dagRuns"
    return f"{runs}/{segment(airflow.api.post(runs, {'logical_date': None, 'conf': form})['dag_run_id'])}"


def _channels(airflow: Airflow, runs: list[str], hook: Listener) -> dict[str, bytes]:
    """All that can be read of it."""
    url = airflow.cluster.url(DATABASE)
    program = airflow.cluster.bin / "pg_dump"
    dumped = subprocess.run([program, "--inserts", "--dbname", url], capture_output=True, check=True)
    found = files_below(airflow.logs, airflow.site.store_folder, Path(airflow.site.variables["HOLDFAST_RECOVERY"]))
    found |= {f"message {number}": body for number, body in enumerate(hook.received)}
    found |= {"the metadata database": dumped.stdout}
    for path in ("connections", "importErrors", "eventLogs?limit=1000", *(f"{run}/taskInstances" for run in runs)):
        found[f"the API's {path}"] = json.dumps(airflow.api.get(path), ensure_ascii=False).encode()
    return found


def _demand_that_all_was_read(channels: dict[str, bytes], processes: Processes) -> None:
    """What is no secret stands where the secrets would: nothing was hidden by being looked for in the wrong place."""
    seen = " ".join(hits(channels, (PUBLIC,)))
    assert all(
        place in seen for place in ("the metadata database", "the API's connections", "/tasks/", "scheduler.log")
    )
    assert any(b"shop/wrong" in content for place, content in channels.items() if place.startswith("message "))
    told = b"".join(content for place, content in channels.items() if f"task_id={COMMAND_TASK}/" in place)
    assert b"exit status 3" in told
    assert "pg_receivewal" in processes.fed
