"""`holdfast status`, `watch` and `alerts` as people and cron use them."""

from __future__ import annotations

import shutil
import signal
import subprocess

import pytest

from fix_environment import MakeSite, Site
from fix_webhook import TOKEN, Webhook
from watched_site import OFF, watched_site

ALERTS = "conn_id: shop_alerts, ping_conn_id: shop_ping"


@pytest.fixture
def site(make_site: MakeSite, webhook: Webhook) -> Site:
    """One whose store is empty, so that its backups never started; its policy lies where Airflow's would."""
    found = watched_site(make_site, webhook, ALERTS).site
    found.edit_policy(OFF, "")
    found.variables["AIRFLOW_CONN_SHOP_PING"] = webhook.ping_connection()
    dags = found.folder / "dags"
    dags.mkdir()
    shutil.copy(found.policy_file, dags / "shop.yaml")
    (dags / "shop.py").touch()
    (dags / "stranger.yaml").write_text("no: policy\n")
    return found


def test_status_says_what_is_wrong_and_tells_nobody(site: Site, webhook: Webhook) -> None:
    """Without a policy it looks at those that Airflow has; the exit status is for scripts."""
    (found,) = site.json("status", expect=1)["findings"]
    assert (found["id"], found["severity"]) == ("shop/production/never_started/nightly", "page")
    assert {"kind", "app", "environment", "text", "since", "meaning", "advice", "runbook", "dag"} <= set(found)
    said = site.run("status", str(site.policy_file), "--ping", expect=1).stdout.decode()
    assert said.startswith("page    shop/production  never started\n        ")
    assert said.endswith("1 to page, 0 to notify, 1 environment\n")
    assert [each.path for each in webhook.taken] == [f"/ping-{TOKEN}/fail"]
    assert site.stored_files() == []


def test_status_of_a_healthy_environment_says_so(site: Site) -> None:
    """One line, and one for each environment, also of a policy that is named twice; nothing is an error."""
    site.edit_policy("ping_conn_id: shop_ping", f"ping_conn_id: shop_ping{OFF}")
    said = site.run("status", str(site.policy_file), site.policy_file.name).stdout.decode()
    assert said == "nothing to report: 1 environment\n  shop/production  no restore point yet\n"


@pytest.mark.parametrize(
    ("arguments", "error", "hint"),
    [
        (["status", "none.yaml"], "policy none.yaml: no such file", "Give the paths"),
        (["status", "--now", "2026-11-22T02:00:00"], "it has no UTC offset", "2026-11-22T02:00:00+01:00"),
        (["status", "--now", "9999-12-31T23:59:59-12:00"], "no year of a backup", "2026-11-22T02:00:00+01:00"),
        (["status", "--environment", "staging"], "environment 'staging': in none of the policies", "production"),
        (["watch", "--every", "5s"], "--every 5s: less than 10s", "15m"),
    ],
)
def test_wrong_use_is_refused_with_a_hint(site: Site, arguments: list[str], error: str, hint: str) -> None:
    """It says what is wrong and what to do, exit status 2."""
    said = site.run(*arguments, expect=2).stderr.decode()
    assert error in said
    assert hint in said.partition("hint: ")[2]


def test_no_policy_at_all_is_wrong_use(site: Site) -> None:
    """An empty folder is not a healthy one."""
    said = site.run("status", expect=2, AIRFLOW__CORE__DAGS_FOLDER=str(site.keys)).stderr.decode()
    assert "there is no .yaml with a .py beside it" in said


def test_a_broken_policy_is_a_finding(site: Site) -> None:
    """Nothing is hidden by it, itself least of all."""
    (site.folder / "dags" / "stranger.py").touch()
    found = site.json("status", expect=1)["findings"]
    assert sorted(each["kind"] for each in found) == ["never_started", "policy_broken"]


def test_watch_tells_once_and_alerts_shows_it(site: Site, webhook: Webhook) -> None:
    """What cron does each quarter of an hour; a message that does not arrive is its only failure."""
    first = site.json("watch")
    assert first["rounds"][0]["raised"] == ["shop/production/nightly"]
    assert [each.path for each in webhook.taken] == [f"/hook/{TOKEN}", f"/ping-{TOKEN}/fail"]
    assert site.json("watch", str(site.policy_file))["rounds"][0]["raised"] == []
    assert [each.path for each in webhook.taken] == [f"/ping-{TOKEN}/fail"]
    (alert,) = site.json("alerts", "show", str(site.policy_file), "production")["alerts"]
    assert (alert["thread"], alert["times"], alert["owes"]) == ("shop/production/nightly", 1, None)


def test_watch_goes_on_until_it_is_ended(site: Site, webhook: Webhook) -> None:
    """SIGTERM between two rounds is no error."""
    going = subprocess.Popen(
        site.command("watch", "--every", "1h", "--json"),
        env=site.surroundings(),
        cwd=site.folder,
        stdout=subprocess.PIPE,
    )
    try:
        assert going.stdout is not None
        assert b'"raised": ["shop/production/nightly"]' in going.stdout.readline()
        going.send_signal(signal.SIGTERM)
        assert going.wait(30) in (0, 130)
    finally:
        going.kill()
        going.communicate()
    assert len(webhook.taken) == 2


def test_alerts_test_says_whom_it_reached(site: Site, webhook: Webhook) -> None:
    """And fails where it reached nobody."""
    said = site.run("alerts", "test", str(site.policy_file), "production").stdout.decode()
    assert said == "delivered by connection shop_alerts: JSON\n"
    assert webhook.titles == ["[test] shop/production: alerts arrive"]
    webhook.status = 403
    refused = site.run("alerts", "test", str(site.policy_file), "production", "--severity", "notify", expect=1)
    assert "connection shop_alerts: JSON: answered 403" in refused.stderr.decode()
    assert TOKEN not in refused.stderr.decode()
