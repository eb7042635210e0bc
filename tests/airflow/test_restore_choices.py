"""The restore points that forms offer: looked up at parse, kept for a minute, and never in the way of a parse."""

from __future__ import annotations

import json
import socket
import stat
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from fix_media import NO_DATABASE
from holdfast.catalog.choices import restore_choices
from holdfast.catalog.restore_checks import RestoreCheck, write_restore_check
from holdfast.values.ids import RestorePointId
from holdfast_airflow import restore_choices as choosing
from holdfast_airflow.operation_form import restore_point_param
from holdfast_airflow.restore_choices import NONE, choices_of
from point_factory import store_point

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, and a process that remembers nothing."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choosing, "_KEPT", {})
    return tmp_path / "cache"


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with three restore points, of which the oldest was restored and the middle one failed to be."""
    made = make_site(NO_DATABASE)
    for name, value in made.variables.items():
        monkeypatch.setenv(name, value)
    environment = made.environment()
    points = [
        store_point(environment.catalog, environment.signer(), NOW - timedelta(hours=hours)) for hours in (30, 2, 1)
    ]
    assert len(points) == 3
    for id, passed in zip(ids(made)[:2], (True, False), strict=True):
        check = RestorePointId.make(NOW, "restore_check", str(id))
        record = RestoreCheck(
            id=str(id),
            app="shop",
            environment="production",
            check=str(check),
            checked_at=NOW,
            passed=passed,
            restore_seconds=1.0,
            rto_seconds=None,
            evidence_sha256="0" * 64,
        )
        write_restore_check(environment.catalog, record, environment.signer())
    return made


def ids(site: Site) -> list[RestorePointId]:
    return [entry.id for entry in site.environment().catalog.entries()]


def test_restored_and_compared_ones_come_first(site: Site) -> None:
    """Then those that nobody has tried, and last what is known to be bad."""
    environment, (oldest, middle, newest) = site.environment(), ids(site)
    found = restore_choices(environment.catalog, environment.verifier())
    assert [(choice.id, choice.is_verified) for choice in found] == [(oldest, True), (newest, None), (middle, False)]
    assert [choice.id for choice in restore_choices(environment.catalog, None, limit=2)] == [newest, middle]


def test_form_offers_them_and_takes_any_other_id(site: Site) -> None:
    """As proposals with a table of what they are; nothing is chosen beforehand."""
    oldest, middle, newest = map(str, ids(site))
    param = restore_point_param(choices=choices_of(site.policy_file, "production", budget_s=20))
    assert param.schema["examples"] == [oldest, newest, middle]
    assert "restored and compared" in param.schema["description_md"]
    assert not param.has_value
    assert param.resolve("20261122T090000Z-nightly-4f9c2a") == "20261122T090000Z-nightly-4f9c2a"


def test_answer_is_kept_for_a_minute_for_this_user_alone(site: Site, cache: Path) -> None:
    """Other processes read it from the cache; a new restore point is offered once it is stale."""
    first = choices_of(site.policy_file, "production", budget_s=20)
    (file,) = (cache / "holdfast").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    environment = site.environment()
    store_point(environment.catalog, environment.signer(), NOW)
    choosing._KEPT.clear()
    assert choices_of(site.policy_file, "production", budget_s=20) == first
    kept = json.loads(file.read_text())
    file.write_text(json.dumps(kept | {"tried_at": kept["tried_at"] - 61}))
    choosing._KEPT.clear()
    assert len(choices_of(site.policy_file, "production", budget_s=20).ids) == 4


def test_cache_that_somebody_has_spoilt_is_passed_over(site: Site, cache: Path) -> None:
    """Whatever lies there, a form is made."""
    (cache / "holdfast").mkdir(parents=True)
    choices_of(site.policy_file, "production", budget_s=20)
    (file,) = (cache / "holdfast").iterdir()
    for content in ("[]", '{"environments": 7}', "\0"):
        file.write_text(content)
        choosing._KEPT.clear()
        assert len(choices_of(site.policy_file, "production", budget_s=20).ids) == 3


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    taken.append(server.accept()[0])
                except OSError:
                    return

        threading.Thread(target=take, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        for each in taken:
            each.close()


@pytest.mark.parametrize("answers", [True, False], ids=["silent", "unreachable"])
def test_store_that_is_away_holds_no_parse_up(
    make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, silent: str, answers: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """The form asks for an id and offers none, the log says so, and the store is not asked again at once."""
    endpoint = silent if answers else "http://127.0.0.1:9"
    extra = {"endpoint_url": endpoint, "region_name": "us-east-1"}
    conn = json.dumps({"conn_type": "aws", "login": "key", "password": "secret", "extra": extra})
    site = make_site(NO_DATABASE, store_url="s3://bucket/prefix", store_conn=conn)
    for name, value in site.variables.items():
        monkeypatch.setenv(name, value)
    began = time.monotonic()
    assert choices_of(site.policy_file, "production") == NONE
    assert time.monotonic() - began < 3
    assert "not offered for production" in caplog.text
    began = time.monotonic()
    assert choices_of(site.policy_file, "production") == NONE
    assert time.monotonic() - began < 0.5


def test_missing_connection_and_broken_policy_are_no_faults_of_a_form(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tasks say what is wrong."""
    site = make_site(NO_DATABASE, store_url="s3://bucket/prefix", store_conn="aws://")
    monkeypatch.delenv("AIRFLOW_CONN_SHOP_STORE", raising=False)
    assert choices_of(site.policy_file, "production") == NONE
    assert choices_of(tmp_path / "nowhere.yaml", "production") == NONE


def test_worker_that_runs_a_task_looks_nothing_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It parses the file too, but shows no form."""
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "switch")
    assert choices_of(site.policy_file, "production", budget_s=20) == NONE
