"""Each finding is provoked for real, reaches a web server as an Apprise webhook once, and is taken back when mended.

`pytest -s` prints for each how long after the fault somebody was told.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import cast

import pytest

from fix_environment import MakeSite
from fix_webhook import TOKEN, Received, Webhook
from holdfast.values.finding_kinds import SEVERITIES, Severity
from holdfast.watch import raise_alert, status_of
from holdfast.watch.judging.runs import run_failed
from provoking_backups import SCENARIOS as BACKUPS
from provoking_events import SCENARIOS as EVENTS
from provoking_proofs import SCENARIOS as PROOFS
from provoking_site import INTERVAL, UNSCHEDULED, Expected, Provoked, Scenario
from provoking_space import SCENARIOS as SPACE
from provoking_store import SCENARIOS as STORE
from provoking_wal import SCENARIOS as WAL

SCENARIOS = (*BACKUPS, *PROOFS, *STORE, *WAL, *SPACE, *EVENTS)
_ROUTES = {"page": "ops", "notify": "dev"}


@pytest.fixture
def provoked(
    make_site: MakeSite, webhook: Webhook, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Provoked:
    """A site with two addresses: who is woken, and who reads it in the morning."""
    monkeypatch.setattr("holdfast.alerting.delivery._PAUSES_S", (0.01,))
    site = make_site("postgresql://nobody@127.0.0.1:1/shop")
    site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = webhook.connection("ops", "dev")
    monkeypatch.setenv("HOLDFAST_STATE", str(site.folder / "state"))
    # PostgreSQL is started for those alone that take real backups.
    return Provoked(
        site, webhook, lambda sql: cast(Callable[[str], str], request.getfixturevalue("make_database"))(sql)
    )


def test_there_is_a_scenario_for_every_kind() -> None:
    """None is left out, and none is of a kind that does not exist."""
    assert {scenario.kind for scenario in SCENARIOS} == set(SEVERITIES)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_a_finding_is_told_once_and_taken_back(provoked: Provoked, scenario: Scenario) -> None:
    """Its healthy twin says nothing; the next round after the fault says all that is needed; mended, it is over."""
    steps = scenario.play(provoked)
    next(steps)
    stays_silent(provoked, 15, 15)
    planted_at = provoked.now
    expected = next(steps)
    assert expected is not None
    is_at_once = bool(provoked.hook.requests)
    found = provoked.round()
    told = provoked.hook.taken
    assert len(told) == 1, [each.body for each in told]
    (message,) = told
    assert {finding.kind for finding in found} == {scenario.kind, *expected.besides}, [f.text for f in found]
    waited = timedelta() if is_at_once else provoked.now - (expected.due_at or planted_at)
    assert waited <= INTERVAL
    demand_told(message, scenario.kind, found[0].severity, expected)
    print(f"\n{scenario.name:40} {found[0].severity:6} {waited.seconds // 60:3} min {provoked.seconds:5.2f} s", end=" ")
    provoked.round()
    assert provoked.hook.titles == [], "nobody is told twice"
    next(steps)
    provoked.round()
    over = provoked.hook.taken
    assert len(over) == expected.resolved
    assert all(each.title.startswith("[resolved] shop/production: ") for each in over)
    (own,) = [each for each in over if expected.which in _body(each).partition("It was: ")[2]]
    assert own.path == message.path
    stays_silent(provoked, 15, 60, 60, 15)


def test_what_the_policy_turns_off_reaches_nobody(provoked: Provoked) -> None:
    """What a round finds, and what a run reports itself; the other kinds are told as ever."""
    provoked.arrange(UNSCHEDULED, alerts=", severities: {run_failed: off, store_guard: off, artifact_missing: notify}")
    newest = provoked.nights(3)[-1]
    provoked.site.store_folder.chmod(0o755)
    environment = provoked.environment()
    run = ("dag", "run", ["task"], provoked.now)
    report = raise_alert(
        environment, run_failed("shop", "production", "nightly", environment.policy, *run), provoked.now
    )
    assert report.findings == ()
    assert provoked.round() == ()
    (provoked.folder(newest) / "database.dump.age").unlink()
    assert [finding.severity for finding in provoked.round()] == ["notify"]
    assert [message.path for message in provoked.hook.taken] == [f"/hook-dev/{TOKEN}"]


def test_status_says_what_is_not_watched(provoked: Provoked) -> None:
    """Where the provider has point-in-time recovery, silence about it proves nothing."""
    provoked.arrange(UNSCHEDULED, database=", pitr: provider")
    provoked.nights(3)
    files, connections = [provoked.site.policy_file], provoked.environment().connections
    note = "shop/production: point-in-time recovery is the provider's: not watched here"
    assert note in status_of(files, connections, provoked.now).notes


def stays_silent(provoked: Provoked, *minutes: float) -> None:
    """Rounds that find nothing, and tell nobody anything."""
    for step in minutes:
        assert provoked.round(step) == ()
        assert provoked.hook.titles == []


def demand_told(message: Received, kind: str, severity: Severity, expected: Expected) -> None:
    """By the right way: what, which, since when, what it means, what to do, and where to read on."""
    way = _ROUTES["notify" if (severity == "page") == expected.other_way else "page"]
    assert message.path == f"/hook-{way}/{TOKEN}"
    assert message.title.startswith(f"[{severity}] shop/production: ")
    assert message.message["type"] == ("failure" if severity == "page" else "warning")
    body = _body(message)
    said = dict(line.partition(": ")[::2] for line in reversed(body.splitlines()))
    assert expected.which in _text(message)
    assert said.get("Since", "").startswith(_moment(expected.since))
    assert bool(said.get("Since")) == (expected.since is not None)
    assert len(said["What it means"]) > 40
    assert len(said["What to do"]) > 40
    assert expected.advice in said["What to do"]
    assert said["Runbook"] == f"docs/findings.md#{kind.replace('_', '-')}"


def _body(message: Received) -> str:
    return str(message.message["message"])


def _text(message: Received) -> str:
    return _body(message).splitlines()[0]


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else ""
