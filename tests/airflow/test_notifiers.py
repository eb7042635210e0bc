"""What the callbacks of runs say to people, and to whom, called as Airflow calls them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowException

from fix_environment import MakeSite, Site
from fix_webhook import TOKEN, Webhook
from holdfast_airflow.notifiers import HoldfastNotifier, WatchNotifier

NOW = datetime.now(UTC)
ALERTS = "    alerts: {conn_id: pager}\n    tiers:\n"
Notify = Callable[[dict[str, Any]], None]


@pytest.fixture
def site(make_site: MakeSite, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    """An app whose people are told by the listener."""
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", webhook.connection())
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / "state"))
    made = make_site("postgresql://postgres@127.0.0.1:1/shop")
    made.edit_policy("    tiers:\n", ALERTS)
    made.policy_file.with_suffix(".py").touch()
    return made


def failure(run_id: str = "scheduled__1", dag_id: str = "shop-production.nightly", **more: object) -> dict[str, Any]:
    """The context of a DAG's failure callback: of its tasks the one that Airflow saw last, if any."""
    task = SimpleNamespace(get_task_states=lambda dag_id, run_ids: {run_ids[0]: {"open": "success", "dump": "failed"}})
    return {"dag": DAG(dag_id, schedule=None), "run_id": run_id, "reason": "task_failure", "ti": task, **more}


def missed(state: str, dag_id: str = "shop-production.nightly") -> dict[str, Any]:
    """The context of a deadline's callback."""
    run = {"dag_id": dag_id, "dag_run_id": "scheduled__1", "state": state, "end_date": None}
    run |= {"queued_at": (NOW - timedelta(hours=6)).isoformat(), "run_after": NOW.isoformat()}
    return {"dag_run": run, "deadline": {"id": "1", "deadline_time": NOW.isoformat()}}


@pytest.fixture
def run_failed(site: Site) -> Notify:
    return HoldfastNotifier(
        policy_file=str(site.policy_file), environment="production", tier="nightly", kind="run_failed"
    )


@pytest.fixture
def deadline_missed(site: Site) -> Callable[[str], None]:
    """As an executor calls it: made with its context, then called with it."""

    def call(state: str) -> None:
        place: dict[str, Any] = {"policy_file": str(site.policy_file), "environment": "production", "tier": "nightly"}
        HoldfastNotifier(**place, kind="deadline_missed", context=missed(state))(missed(state))

    return call


def test_failed_run_is_told_once(run_failed: Notify, webhook: Webhook) -> None:
    """With its tasks; neither the callback again nor the next night's failure says the same thing anew."""
    run_failed(failure())
    [told] = webhook.taken
    assert told.message["type"] == "failure"
    assert "shop/production" in told.title
    for said in ("scheduled__1 of shop-production.nightly", "dump", "What to do:"):
        assert said in told.message["message"]
    assert "open" not in told.title
    run_failed(failure())
    run_failed(failure("scheduled__2"))
    assert webhook.taken == []


def test_failed_run_is_told_without_its_tasks(run_failed: Notify, webhook: Webhook) -> None:
    """Airflow does not always say which task it was."""
    context = failure()
    del context["ti"]
    run_failed(context)
    assert len(webhook.taken) == 1


def test_missed_deadline_is_told(deadline_missed: Callable[[str], None], webhook: Webhook) -> None:
    """Whether the run is at work or waits for its turn."""
    deadline_missed("queued")
    [told] = webhook.taken
    assert (told.message["type"], "scheduled__1" in told.message["message"]) == ("failure", True)
    deadline_missed("running")
    assert webhook.taken == []


def test_deadline_of_a_failed_run_is_no_second_page(
    run_failed: Notify, deadline_missed: Callable[[str], None], webhook: Webhook
) -> None:
    """Its deadline passes hours after everybody knows."""
    run_failed(failure())
    assert len(webhook.taken) == 1
    deadline_missed("failed")
    assert webhook.taken == []


def test_deadline_says_what_the_failure_did_not(deadline_missed: Callable[[str], None], webhook: Webhook) -> None:
    """The failure's callback may have been lost with its process: then it is told now, as what it is."""
    deadline_missed("failed")
    [told] = webhook.taken
    assert "failed" in told.title


def test_run_that_ended_late_wakes_nobody(deadline_missed: Callable[[str], None], webhook: Webhook) -> None:
    """Between the deadline and the callback it has come to its end."""
    deadline_missed("success")
    assert webhook.taken == []


@pytest.mark.parametrize(
    "alerts", ["    tiers:\n", "    alerts: {conn_id: pager, severities: {run_failed: 'off'}}\n    tiers:\n"]
)
def test_nobody_is_told_where_the_policy_says_so(site: Site, run_failed: Notify, webhook: Webhook, alerts: str) -> None:
    """No section, or a severity that is off: the log has it."""
    site.edit_policy(ALERTS, alerts)
    run_failed(failure())
    assert webhook.taken == []


def test_callback_fails_where_nobody_was_told(
    run_failed: Notify, webhook: Webhook, capfd: pytest.CaptureFixture[str]
) -> None:
    """It says so without the address, which is a secret; once people can be reached again, they are told."""
    webhook.status = 500
    with pytest.raises(AirflowException, match="connection pager"):
        run_failed(failure())
    captured = capfd.readouterr()
    assert "scheduled__1" in captured.out + captured.err
    assert TOKEN not in captured.out + captured.err


def test_callback_of_a_broken_policy_shows_nothing_of_it(
    site: Site, run_failed: Notify, capfd: pytest.CaptureFixture[str]
) -> None:
    """It was well when the run began. Whatever somebody wrote there by mistake stays there."""
    site.edit_policy("database: {conn_id: shop_db}", "database: {conn_id: shop_db, password: s3cr3tword}")
    with pytest.raises(AirflowException, match=r"database\.password"):
        run_failed(failure())
    captured = capfd.readouterr()
    assert "s3cr3tword" not in captured.out + captured.err


def watch_failed(site: Site) -> Notify:
    return WatchNotifier(folder=str(site.policy_file.parent), kind="run_failed")


def watch_context(told: object) -> dict[str, Any]:
    """The failed run of a round that has left ``told`` in XCom."""
    return failure(dag_id="holdfast.watch", ti=SimpleNamespace(xcom_pull=lambda task_ids, key: told))


def test_watch_that_fails_pages_once_by_each_pager(
    site: Site, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two environments that name the same pager are told once; a policy that cannot be read keeps nobody from it."""
    beside = site.policy_file.with_name("other.yaml")
    beside.write_text(
        site.policy_file.read_text().replace("app: shop", "app: other").replace("conn_id: pager", "conn_id: second")
    )
    broken = site.policy_file.with_name("broken.yaml")
    broken.write_text("app: [")
    again = site.policy_file.with_name("third.yaml")
    again.write_text(site.policy_file.read_text().replace("app: shop", "app: third"))
    for file in (beside, broken, again):
        file.with_suffix(".py").touch()
    monkeypatch.setenv("AIRFLOW_CONN_SECOND", webhook.connection(path="second"))
    watch_failed(site)(watch_context(None))
    told = webhook.taken
    assert sorted(each.path.split("/")[1] for each in told) == ["hook", "second"]
    assert all("silence means nothing" in each.message["message"] for each in told)
    assert all("holdfast.watch" in each.message["message"] for each in told)
    watch_failed(site)(watch_context(None))
    assert webhook.taken == []


def test_round_that_told_why_it_is_red_is_not_told_again(site: Site, webhook: Webhook) -> None:
    """It came to its end: what there was to say is said, or will be by the next one."""
    watch_failed(site)(watch_context({"findings": []}))
    WatchNotifier(folder=str(site.policy_file.parent), kind="deadline_missed")(missed("failed", "holdfast.watch"))
    assert webhook.taken == []


def test_watch_that_hangs_pages(site: Site, webhook: Webhook) -> None:
    """By the deadline of its run."""
    WatchNotifier(folder=str(site.policy_file.parent), kind="deadline_missed")(missed("running", "holdfast.watch"))
    assert len(webhook.taken) == 1
