"""What tasks tell Airflow's statistics, as a real StatsD server and a real OpenTelemetry collector receive it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.exceptions import AirflowFailException
from airflow.sdk.observability.metrics import stats_utils
from airflow.sdk.observability.stats import Stats
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from dag_runs import run_once
from fix_environment import MakeSite, Site
from holdfast.metrics.names import METRICS, metric
from holdfast.metrics.sample import Sample
from holdfast_airflow import metrics
from holdfast_airflow.operators import StoreGuardOperator
from holdfast_airflow.operators.watch import WatchOperator
from point_factory import store_point

TABLES = "CREATE TABLE orders (id int); INSERT INTO orders SELECT generate_series(1, 1500);"
PLACE = ("shop", "production")
AGE = Sample(metric("restore_point_age_seconds"), (*PLACE, "nightly"), 3600.5)
Adopt = Callable[..., DAG]
Lines = Callable[[], dict[str, str]]


@pytest.fixture
def statsd(monkeypatch: pytest.MonkeyPatch, begin: Callable[[], None]) -> Iterator[Lines]:
    """A StatsD server that Airflow is told of; gives what it has received: value and type by name, its prefix gone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.3)
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "True")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_HOST", "127.0.0.1")
        monkeypatch.setenv("AIRFLOW__METRICS__STATSD_PORT", str(server.getsockname()[1]))
        begin()
        yield lambda: _received(server)


@pytest.fixture
def begin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """What Airflow does when a task's process begins; its socket is closed, which Airflow leaves to the process."""
    made = []

    def factory() -> Any:
        made.append(stats_utils.get_stats_factory()())
        return made[-1]

    yield lambda: Stats.initialize(factory=factory, export_legacy_names=True)
    Stats.initialize(factory=NoStatsLogger, export_legacy_names=True)
    for logger in made:
        logger.statsd.close()


def _received(server: socket.socket) -> dict[str, str]:
    found = {}
    while True:
        try:
            line = server.recv(4096).decode()
        except TimeoutError:
            return found
        name, _, value = line.removeprefix("airflow.").partition(":")
        if name.startswith("holdfast."):
            found[name] = value


@pytest.fixture
def site(make_site: MakeSite, make_database: Callable[..., str]) -> Site:
    """An app with one table of 1,500 rows."""
    return make_site(make_database(TABLES))


def test_run_tells_seconds_bytes_and_rows_of_each_task(site: Site, adopt: Adopt, statsd: Lines) -> None:
    """Plain StatsD has no tags: which task of which environment it is stands in the name."""
    run_once(adopt(site))
    found = statsd()
    at = "holdfast.shop.production.nightly"
    for task, operator in [("dump", "DumpOperator"), ("verify_list", "VerifyListOperator")]:
        value, kind = found[f"{at}.{task}.{operator}.success.task_duration"].split("|")
        assert kind == "ms" and 1 < float(value) < 120_000
        assert found[f"{at}.{task}.{operator}.task_rows"] == "1500|g"
        assert float(found[f"{at}.{task}.{operator}.task_bytes"].removesuffix("|g")) > 500
    assert f"{at}.manifest.ManifestOperator.success.task_duration" in found
    assert not [name for name in found if ".failed." in name]


def test_round_of_the_watch_tells_all_gauges(site: Site, statsd: Lines) -> None:
    """Of every environment of every policy beside the DAG; one that cannot be read is not up."""
    environment = site.environment()
    store_point(environment.catalog, environment.signer(), datetime.now(UTC) - timedelta(hours=10))
    for name, text in [("shop.py", ""), ("broken.py", ""), ("broken.yaml", "app: [")]:
        (site.folder / name).write_text(text)
    context = {"ti": SimpleNamespace(xcom_push=lambda key, value: None)}
    began_at = time.time()
    WatchOperator(task_id="watch", folder=str(site.folder)).execute(context)  # type: ignore[arg-type]
    found = {name: float(value.removesuffix("|g")) for name, value in statsd().items()}
    at = "holdfast.shop.production"
    assert found[f"{at}.up"] == 1
    assert 36_000 <= found[f"{at}.nightly.restore_point_age_seconds"] < 36_100
    assert found[f"{at}.nightly.restore_points"] == 1
    assert found[f"{at}.page.too_small.findings"] == 0
    assert began_at <= found[f"{at}.watch_last_round_timestamp_seconds"] <= time.time()
    assert 0 < found[f"{at}.watch_round_seconds"] < 100
    assert found["holdfast.broken._.up"] == 0


def test_failed_try_is_told_as_such(site: Site, statsd: Lines) -> None:
    """Its time is told, and nothing that it did not do; the error stays what it is."""
    site.edit_policy("app: shop", "app: [shop")
    with pytest.raises(AirflowFailException):
        _guard(site).execute({})
    assert [name.split(".")[-2:] for name in statsd()] == [["failed", "task_duration"]]


def _guard(site: Site) -> StoreGuardOperator:
    with DAG("shop-production.nightly"):
        return StoreGuardOperator(task_id="guard", policy_file=str(site.policy_file), environment="production")


def test_tags_go_into_the_line_where_statsd_has_them(
    statsd: Lines, begin: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With InfluxDB's form of StatsD the name is the documented one, and the labels are its tags."""
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_INFLUXDB_ENABLED", "True")
    begin()
    strange = Sample(metric("restore_points"), (*PLACE, "a,b=c d"), 2)
    metrics.emit([AGE, strange])
    assert statsd() == {
        "holdfast.restore_point_age_seconds,app=shop,environment=production,tier=nightly": "3600.5|g",
        "holdfast.restore_points,app=shop,environment=production,tier=a_b_c_d": "2|g",
    }


def test_names_hold_what_statsd_would_take_apart(statsd: Lines) -> None:
    """A dot in a label would be a level of its own, and a colon would end the name."""
    metrics.emit([Sample(metric("restore_points"), ("shop", "production", "a.b:c|d"), 2)])
    assert statsd() == {"holdfast.shop.production.a__b_c_d.restore_points": "2|g"}


def test_every_name_arrives(statsd: Lines) -> None:
    """Airflow drops names that StatsD would not take; none of ours is."""
    samples = [
        Sample(found, tuple(f"l{number}" for number, _ in enumerate(found.labels)), 1) for found in METRICS.values()
    ]
    metrics.emit(samples)
    assert set(statsd()) == {sample.spelled_stat for sample in samples}
    assert len({sample.spelled_stat for sample in samples}) == len(METRICS)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("STATSD_HOST", "no-such-host.invalid"),
        ("STATSD_PORT", "no port"),
        ("STATSD_INFLUXDB_ENABLED", "perhaps"),
        ("STATSD_ON", "perhaps"),
        ("STATSD_CUSTOM_CLIENT_PATH", "no.such.module"),
    ],
)
def test_no_task_fails_by_its_metrics(
    site: Site, statsd: Lines, begin: Callable[[], None], monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    """Whatever is wrong with where they are sent, the task returns what it did."""
    site.store_folder.mkdir()
    operator = _guard(site)
    monkeypatch.setenv(f"AIRFLOW__METRICS__{option}", value)
    begin()
    facts = operator.execute({})
    metrics.tell_done({"task": operator}, facts)  # type: ignore[typeddict-item]
    assert facts["checks"] > 0


def test_nothing_is_sent_where_no_statistics_are_on(site: Site, statsd: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even to a StatsD server that was configured and switched off."""
    monkeypatch.setenv("AIRFLOW__METRICS__STATSD_ON", "False")
    metrics.emit([AGE])
    assert statsd() == {}


SCRIPT = """
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability.metrics import stats_utils
from airflow.sdk.observability.stats import Stats
from holdfast.metrics.names import METRICS
from holdfast.metrics.sample import Sample
from holdfast_airflow.metrics import emit

Stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=True)
emit(Sample(found, tuple(f"of {label}" for label in found.labels), 7) for found in METRICS.values())
"""


class _Collector(BaseHTTPRequestHandler):
    received: list[bytes]

    def do_POST(self) -> None:
        self.received.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *values: object) -> None:
        """Nothing."""


def test_every_name_arrives_by_opentelemetry(airflow_variables: dict[str, str], tmp_path: Path) -> None:
    """A process of its own, whose provider lives as long as it: gauges and histograms with their attributes."""
    handler = type("Handler", (_Collector,), {"received": []})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        on = {
            "AIRFLOW__METRICS__OTEL_ON": "True",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        }
        subprocess.run([sys.executable, "-c", SCRIPT], env=airflow_variables | on, check=True, timeout=120)
        server.shutdown()
    found = {}
    for body in handler.received:
        for resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in resource.scope_metrics:
                found |= {one.name: one for one in scope.metrics}
    assert {f"airflow.{one.stat}" for one in METRICS.values()} <= found.keys()
    (point,) = found["airflow.holdfast.restore_point_age_seconds"].gauge.data_points
    assert point.as_int == 7
    assert {pair.key: pair.value.string_value for pair in point.attributes} == {
        "app": "of_app",
        "environment": "of_environment",
        "tier": "of_tier",
    }
    (time,) = found["airflow.holdfast.task_duration"].exponential_histogram.data_points
    assert (time.count, time.sum) == (1, 7)
