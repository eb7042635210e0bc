"""``holdfast metrics`` over real stores: printed, written and served, with one store away and one policy broken."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from prometheus_client.parser import text_string_to_metric_families

from fix_environment import MakeSite, Site
from holdfast.cli.main import cli
from holdfast.errors import UsageError
from holdfast.recovery.loopback import unused_port
from point_factory import store_check, store_point

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TOKEN = "c4nary9f2c41d07ab36e58"
AT = {"app": "shop", "environment": "production"}


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """Two restore points in one environment's store, and a second environment whose connection is missing."""
    site = make_site("postgresql://nobody@127.0.0.1:1/none")
    text = site.policy_file.read_text()
    production = text[text.index("  production:") :]
    staging = production.replace("production:", "staging:").replace("conn_id: null", "conn_id: nowhere")
    site.policy_file.write_text(text + staging)
    environment = site.environment()
    for hours in (34, 10):
        id = store_point(environment.catalog, environment.signer(), NOW - timedelta(hours=hours))
    store_check(environment.catalog, environment.signer(), id, NOW - timedelta(hours=5))
    return site


def read(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Samples by name and labels."""
    families = text_string_to_metric_families(text)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """Where ``read`` has it."""
    return f"holdfast_{name}", frozenset(labels.items())


def test_metrics_are_printed_of_every_environment_that_can_be_read(site: Site) -> None:
    """One whose store is away and a policy that cannot be read have holdfast_up 0 and a word on stderr, no more."""
    broken = site.folder / "broken.yaml"
    broken.write_text("app: [\n")
    done = site.run("metrics", str(site.policy_file), str(broken), "--now", NOW.isoformat())
    found = read(done.stdout.decode())
    assert found[key("up", **AT)] == 1
    assert found[key("restore_points", **AT, tier="nightly")] == 2
    assert found[key("restore_point_age_seconds", **AT, tier="nightly")] == 36_000
    assert found[key("restore_point_rows", **AT, tier="nightly")] == 42
    assert found[key("restore_check_ok", **AT, tier="nightly")] == 1
    assert found[key("rpo_actual_seconds", **AT)] == 36_000
    away = {name for name, labels in found if ("environment", "production") not in labels}
    assert away == {"holdfast_up"}
    assert found[key("up", app="shop", environment="staging")] == 0
    assert found[key("up", app="broken", environment="")] == 0
    said = done.stderr.decode()
    assert "shop/staging: connection nowhere: the environment variable AIRFLOW_CONN_NOWHERE is not set" in said
    assert f"policy {broken}" in said


class _Refusing(BaseHTTPRequestHandler):
    """An S3 server that lets nobody in."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Nothing."""


def test_store_that_refuses_is_not_up(site: Site) -> None:
    """Though everything to reach it is there."""
    head, staging = site.policy_file.read_text().split("  staging:")
    site.policy_file.write_text(f"{head}  staging:" + staging.replace(f"file://{site.store_folder}", "s3://backups"))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        extra = {"endpoint_url": f"http://127.0.0.1:{server.server_port}"}
        there = json.dumps({"conn_type": "aws", "login": "k", "password": "s3cr3t-k3y", "extra": extra})
        done = site.run("metrics", str(site.policy_file), AIRFLOW_CONN_NOWHERE=there)
        server.shutdown()
    found = read(done.stdout.decode())
    assert found[key("up", **AT)] == 1
    assert found[key("up", app="shop", environment="staging")] == 0
    staging = {"app": "shop", "environment": "staging"}
    assert found[key("findings", **staging, severity="page", kind="store_unreachable")] == 1
    assert key("restore_points", **staging, tier="nightly") not in found
    assert b"shop/staging: " in done.stderr
    assert b"s3cr3t" not in done.stdout + done.stderr


def test_metrics_are_written_to_a_textfile(site: Site) -> None:
    """Nothing is printed besides."""
    path = site.folder / "textfile" / "holdfast.prom"
    path.parent.mkdir()
    done = site.run("metrics", str(site.policy_file), "--out", str(path), "--now", NOW.isoformat())
    assert done.stdout == b""
    assert read(path.read_text())[key("restore_points", **AT, tier="nightly")] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_metrics_are_served_until_a_signal(site: Site, number: signal.Signals) -> None:
    """The token stands in a file, in no argument; the end by a signal is no failure."""
    token = site.folder / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    arguments = ["metrics", str(site.policy_file), "--listen", f"0.0.0.0:{unused_port()}", "--token-file", str(token)]
    with subprocess.Popen(
        site.command(*arguments), env=site.surroundings(), stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        url = server.stderr.readline().split()[-1].replace("0.0.0.0", "127.0.0.1")
        request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(request, timeout=60) as response:
            found = read(response.read().decode())
        said = Path(f"/proc/{server.pid}/cmdline").read_bytes()
        os.kill(server.pid, number)
        rest = server.stderr.read()
        assert server.wait(60) == 0
    assert found[key("restore_points", **AT, tier="nightly")] == 2
    assert TOKEN.encode() not in said
    assert rest.endswith("stopped\n") and TOKEN not in rest


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        (["--listen", "0.0.0.0:0"], "so that a token is needed"),
        (["--token-file", "x"], "a token is for --listen"),
        (["--listen", "1", "--out", "x.prom"], "--listen goes with neither --out nor --now"),
        (["--listen", "0", "--token-file", "x", "--token-conn", "y"], "exclude each other"),
        (["--out", "x.txt"], "node_exporter reads"),
    ],
)
def test_wrong_use_is_refused(site: Site, options: list[str], fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Before anything is served or written."""
    with pytest.raises(UsageError, match=fault):
        cli.main(["metrics", str(site.policy_file), *options], standalone_mode=False)
    assert capsys.readouterr().out == ""
