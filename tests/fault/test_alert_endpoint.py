"""Whatever happens to a service for messages, alerts are not lost, not doubled, and its failing is itself said."""

from __future__ import annotations

import dataclasses
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from failing_store import FailingStore
from fix_environment import MakeSite
from fix_webhook import TOKEN, Webhook, closed_port
from holdfast.alerting import DeliveryError
from holdfast.environment import Environment
from holdfast.errors import StoreError
from holdfast.storage.protocol import StoredObject
from holdfast.watch import RoundReport, raise_alert, watch_all, watch_round
from holdfast.watch.round import Carried
from watched_site import OFF, WatchedSite, finding, watched_site

BOTH = "conn_id: shop_alerts, notify: {conn_id: shop_chat}, ping_conn_id: shop_ping, remind: {page: 30d}"


@pytest.fixture
def hooks(webhook: Webhook, make_site: MakeSite, monkeypatch: pytest.MonkeyPatch) -> WatchedSite:
    """Pages, notices and pings go to one server by different paths."""
    monkeypatch.setattr("holdfast.alerting.delivery._PAUSES_S", (0.01,))
    monkeypatch.setattr("holdfast.alerting.pinging._PAUSES_S", (0.01,))
    watched = watched_site(make_site, webhook, BOTH)
    monkeypatch.setenv("HOLDFAST_STATE", watched.site.variables["HOLDFAST_STATE"])
    watched.site.variables["AIRFLOW_CONN_SHOP_CHAT"] = webhook.connection(path="chat")
    watched.site.variables["AIRFLOW_CONN_SHOP_PING"] = webhook.ping_connection()
    return watched


def paths(hook: Webhook) -> list[str]:
    """What came, by the first part of its path."""
    return [each.path.removesuffix(f"/{TOKEN}").replace(f"-{TOKEN}", "") for each in hook.taken]


def take_pages_down(watched: WatchedSite) -> None:
    """The service that wakes people is gone."""
    down = f'{{"conn_type": "apprise", "extra": {{"config": {{"path": "json://127.0.0.1:{closed_port()}/{TOKEN}"}}}}}}'
    watched.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = down


def test_a_page_that_does_not_arrive_waits_and_is_said_by_the_other_way(hooks: WatchedSite) -> None:
    """It is tried again each round; from the second one on the other route says so; then all of it arrives, once."""
    take_pages_down(hooks)
    first = hooks.round(finding())
    assert first.raised == ()
    assert len(first.undelivered) == 1
    assert paths(hooks.hook) == ["/ping/fail"]
    second = hooks.round(finding())
    assert [found.kind for found in second.findings] == ["alert_undelivered", "late"]
    chat, ping = hooks.hook.taken
    assert chat.title.startswith(
        "[page] shop/production: messages of severity page do not arrive: connection shop_alerts"
    )
    assert (ping.path, "not delivered: connection shop_alerts" in ping.body) == (f"/ping-{TOKEN}/fail", True)
    hooks.round(finding())
    assert paths(hooks.hook) == ["/ping/fail"]
    hooks.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = hooks.hook.connection()
    assert hooks.round(finding()).raised == ("shop/production/nightly",)
    assert paths(hooks.hook) == ["/hook", "/chat", "/ping/fail"], "the page, that messages arrive again, the finding"
    hooks.round()
    assert paths(hooks.hook) == ["/hook", "/ping"]


def test_what_was_gone_before_anybody_heard_is_still_said(hooks: WatchedSite) -> None:
    """Once messages arrive again people learn what there was."""
    take_pages_down(hooks)
    hooks.round(finding())
    hooks.round()
    hooks.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = hooks.hook.connection()
    hooks.hook.taken.clear()
    hooks.round()
    (late,) = [each for each in hooks.hook.taken if each.path.startswith("/hook")]
    assert "Nobody could be told of it before." in late.message["message"]


def test_who_has_a_message_does_not_get_it_again(hooks: WatchedSite) -> None:
    """One of two addresses is down: only that one is tried again."""
    good, bad = hooks.hook.url("good"), f"json://127.0.0.1:{closed_port()}/{TOKEN}"
    config = f'{{"conn_type": "apprise", "extra": {{"config": [{{"path": "{good}"}}, {{"path": "%s"}}]}}}}'
    hooks.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = config % bad
    hooks.round(finding())
    assert paths(hooks.hook) == ["/good", "/ping/fail"]
    hooks.round(finding())
    assert paths(hooks.hook) == ["/chat", "/ping/fail"]
    hooks.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = config % hooks.hook.url("mended")
    hooks.round(finding())
    assert paths(hooks.hook) == ["/mended", "/chat", "/ping/fail"]


@pytest.mark.parametrize("fault", ["500", "hangs", "no address"])
def test_a_round_ends_whatever_the_service_does(
    hooks: WatchedSite, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is reported, and holds nothing up."""
    monkeypatch.setattr("holdfast.watch.telling._MESSAGE_S", 1.0)
    monkeypatch.setattr("holdfast.alerting.pinging._WITHIN_S", 1.0)
    if fault == "500":
        hooks.hook.status = 500
    elif fault == "hangs":
        hooks.hook.hangs = True
    else:
        hooks.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = '{"conn_type": "apprise", "extra": {"config": []}}'
    began = time.monotonic()
    report = hooks.round(finding())
    assert time.monotonic() - began < 20
    assert len(report.undelivered) == 1
    assert [found.kind for found in report.findings] == ["late"]


def test_a_watch_that_is_killed_loses_no_page(hooks: WatchedSite) -> None:
    """Killed while it sends, it leaves a claim; when that has lapsed another watch says what it was to say."""
    hooks.site.edit_policy(OFF, "")
    hooks.hook.hangs = True
    dying = subprocess.Popen(
        hooks.site.command("watch", str(hooks.site.policy_file)),
        env=hooks.site.surroundings(),
        cwd=hooks.site.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: any(name.endswith(".json") for name in hooks.records()))
    finally:
        os.kill(dying.pid, signal.SIGKILL)
        dying.wait()
    hooks.hook.hangs = False
    hooks.now = datetime.now(UTC)
    assert hooks.round(minutes=1).raised == ()
    assert [each.path for each in hooks.hook.taken] == [f"/ping-{TOKEN}/fail"]
    assert hooks.round(minutes=14).raised == ("shop/production/nightly",)


class Away:
    """A store that answers nothing, around one that would."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __getattr__(self, name: str) -> Callable[..., Iterator[StoredObject]]:
        def refuse(*_: object, **__: object) -> Iterator[StoredObject]:
            raise StoreError("store: does not answer")

        return refuse


def test_while_the_store_is_away_people_are_told_once(hooks: WatchedSite) -> None:
    """This host remembers meanwhile; when the store is back nothing is said a second time, and it is resolved."""
    hooks.round(finding("monthly"))
    hooks.hook.taken.clear()

    def blind() -> RoundReport:
        hooks.now += timedelta(minutes=15)
        return watch_round(away(hooks.environment()), hooks.now, is_pinging=False)

    report = blind()
    assert {found.kind for found in report.findings} == {"store_unreachable"}
    assert any("keeps no memory" in note for note in report.notes)
    assert len(hooks.hook.titles) == 1
    blind()
    raise_alert(away(hooks.environment()), finding(kind="run_failed"), hooks.now)
    raise_alert(away(hooks.environment()), finding(kind="run_failed"), hooks.now)
    assert len(hooks.hook.titles) == 1, "the failed run, once"
    hooks.now += timedelta(minutes=15)
    back = watch_round(hooks.environment(), hooks.now, is_pinging=False, carried=Carried((finding("monthly"),)))
    assert len(back.resolved) == 1
    assert [each.title.split(":")[0] for each in hooks.hook.taken] == ["[resolved] shop/production"]


def test_no_fault_of_the_store_loses_a_page(hooks: WatchedSite) -> None:
    """Whichever call of a round fails, the page is out by the next one, and what was open is not said anew."""
    hooks.round(finding("known"))
    hooks.hook.taken.clear()
    calls, failed_at, standing = 1, 0, [finding("known")]
    while failed_at < calls:
        failed_at += 1
        new = finding(f"tier{failed_at}")
        hooks.now += timedelta(minutes=1)
        environment = hooks.environment()
        store = FailingStore(environment.store, fail_at=failed_at)
        broken = dataclasses.replace(environment, store=store)
        watch_round(broken, hooks.now, is_pinging=False, carried=Carried((*standing, new)))
        calls = max(calls, len(store.calls))
        hooks.now += timedelta(minutes=15)
        watch_round(hooks.environment(), hooks.now, is_pinging=False, carried=Carried((*standing, new)))
        titles = [title for title in hooks.hook.titles if "store" not in title]
        failed = store.calls[failed_at - 1 :][:1]
        assert 1 <= titles.count(f"[page] shop/production: tier{failed_at} backup missing") <= 2, failed
        assert not [title for title in titles if "known" in title], failed
        hooks.now += timedelta(minutes=1)
        watch_round(hooks.environment(), hooks.now, is_pinging=False, carried=Carried(tuple(standing)))
        hooks.hook.taken.clear()
    assert calls > 8


def away(environment: Environment) -> Environment:
    """The same one, whose store does not answer."""
    return dataclasses.replace(environment, store=Away(environment.store.url))  # type: ignore[arg-type]


def test_an_event_that_reaches_nobody_is_an_error_and_waits(hooks: WatchedSite) -> None:
    """The callback fails, and the next round says it."""
    take_pages_down(hooks)
    with pytest.raises(DeliveryError, match="connection shop_alerts: JSON: did not take it"):
        hooks.event(finding(kind="run_failed"))
    hooks.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = hooks.hook.connection()
    assert hooks.round().raised == ("shop/production/nightly",)


def test_one_environment_never_hides_another(hooks: WatchedSite) -> None:
    """A broken policy, and an environment that cannot be opened, are said by the alerts of one that can."""
    broken = hooks.site.folder / "broken.yaml"
    broken.write_text("app: broken\n")
    text = hooks.site.policy_file.read_text()
    other = hooks.site.folder / "other.yaml"
    other.write_text(text.replace("app: shop", "app: other").replace("conn_id: null", "conn_id: not_there"))
    files = [broken, hooks.site.policy_file, other]
    environment = hooks.environment()
    report = watch_all(files, environment.connections, hooks.now)
    assert [round.app for round in report.rounds] == ["shop"]
    assert list(report.failed) == ["other/production"]
    assert not report.is_ok
    titles = [each.title for each in hooks.hook.taken if each.path.startswith("/hook")]
    assert len(titles) == 2
    assert "broken.yaml" in titles[0] + titles[1]
    watch_all(files, environment.connections, hooks.now + timedelta(minutes=15))
    watch_all([hooks.site.policy_file], environment.connections, hooks.now + timedelta(minutes=30))
    assert [each.path for each in hooks.hook.taken if each.path.startswith("/hook")] == []
    broken.write_text(text.replace("app: shop", "app: broken"))
    other.write_text(text.replace("app: shop", "app: other"))
    watch_all(files, environment.connections, hooks.now + timedelta(minutes=45))
    gone = [each.title for each in hooks.hook.taken if each.path.startswith("/hook")]
    assert len(gone) == 2
    assert all(title.startswith("[resolved]") for title in gone)


def test_no_secret_of_an_address_is_kept_or_said(hooks: WatchedSite, caplog: pytest.LogCaptureFixture) -> None:
    """Not in the store, not in a report, not in a log, whatever goes wrong."""
    caplog.set_level(logging.DEBUG)
    take_pages_down(hooks)
    reports = [hooks.round(finding()) for _ in range(3)]
    hooks.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = hooks.hook.connection()
    hooks.site.variables["AIRFLOW_CONN_SHOP_PING"] = f"http://127.0.0.1:{closed_port()}/{TOKEN}"
    reports.append(hooks.round(finding()))
    said = caplog.text + "".join(str(report) + str(report.as_json()) for report in reports)
    said += "".join(each.body for each in hooks.hook.taken)
    kept = b"".join(path.read_bytes() for path in Path(hooks.site.folder).rglob("*") if path.is_file())
    assert TOKEN not in said
    assert TOKEN.encode() not in kept


def wait_for(is_so: Callable[[], bool]) -> None:
    """Until it is so; a minute is for a machine that has much to do."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)
