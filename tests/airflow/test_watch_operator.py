"""A round of the watch as its task runs it: what makes it red, and what it leaves in XCom all the same."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException

from fix_environment import MakeSite, Site
from fix_webhook import TOKEN, Webhook
from holdfast_airflow.operators import WatchOperator


@pytest.fixture
def site(make_site: MakeSite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Site:
    """An app of which nothing was ever backed up, and whose policy has no section alerts."""
    monkeypatch.setenv("HOLDFAST_STATE", str(tmp_path / "state"))
    made = make_site("postgresql://postgres@127.0.0.1:1/shop")
    made.policy_file.with_suffix(".py").touch()
    return made


def round_of(site: Site) -> tuple[dict[str, Any], str]:
    """What the round leaves in XCom, and why it is red; empty where it is green."""
    left: dict[str, Any] = {}
    task = SimpleNamespace(xcom_push=lambda key, value: left.update({key: value}))
    operator = WatchOperator(task_id="watch", folder=str(site.policy_file.parent))
    try:
        returned = operator.execute(cast(Context, {"ti": task}))
    except AirflowException as error:
        return left["return_value"], str(error)
    assert returned == left["return_value"]
    return returned, ""


def test_finding_leaves_the_round_green(site: Site) -> None:
    """What is wrong with backups stands in XCom; nobody is to be told of it, so everybody is."""
    facts, why = round_of(site)
    assert why == ""
    assert [finding["kind"] for finding in facts["findings"]] == ["never_started"]
    assert [round["environment"] for round in facts["rounds"]] == ["production"]


def test_broken_policy_is_a_finding_among_others(site: Site) -> None:
    """It is read by the round, and keeps no other environment from being looked at."""
    broken = site.policy_file.with_name("broken.yaml")
    broken.write_text("app: [")
    broken.with_suffix(".py").touch()
    facts, why = round_of(site)
    assert why == ""
    assert [finding["kind"] for finding in facts["findings"]] == ["policy_broken", "never_started"]


def test_environment_that_cannot_be_opened_makes_the_round_red(site: Site) -> None:
    """Its store's connection is missing: the others are looked at all the same."""
    other = site.policy_file.with_name("other.yaml")
    other.write_text(
        site.policy_file.read_text().replace("app: shop", "app: other").replace("conn_id: null", "conn_id: gone")
    )
    other.with_suffix(".py").touch()
    facts, why = round_of(site)
    assert "other/production: not watched: connection gone: not defined" in why
    assert [round["app"] for round in facts["rounds"]] == ["shop"]


def test_message_that_does_not_arrive_makes_the_round_red(
    site: Site, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it has arrived."""
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", webhook.connection())
    site.edit_policy("    tiers:\n", "    alerts: {conn_id: pager}\n    tiers:\n")
    webhook.status = 500
    _, why = round_of(site)
    assert "shop/production: not delivered: connection pager: JSON: answered 500" in why
    assert TOKEN not in why
    webhook.status = 200
    facts, why = round_of(site)
    assert (why, len(webhook.taken)) == ("", 1)
    assert facts["rounds"][0]["raised"] == ["shop/production/nightly"]
    assert round_of(site)[1] == ""
    assert webhook.taken == []


def test_sigterm_leaves_the_round(site: Site) -> None:
    """Airflow calls on_kill in the signal's handler; before and after the round there is nothing to leave."""
    operator = WatchOperator(task_id="watch", folder=str(site.policy_file.parent))
    operator.on_kill()
    operator._is_working = True
    with pytest.raises(SystemExit):
        operator.on_kill()
