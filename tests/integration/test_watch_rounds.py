"""Rounds of the watch tell people once, again by policy, and when it is over; the store remembers what was said."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from fix_environment import MakeSite
from fix_webhook import TOKEN, Webhook
from holdfast.errors import UsageError
from holdfast.watch import watch_round
from holdfast.watch.round import Carried
from watched_site import START, WatchedSite, finding, watched_site

ROUTES = "conn_id: shop_alerts, page: {tag: ops}, notify: {tag: dev}"


@pytest.fixture
def watched(make_site: MakeSite, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> WatchedSite:
    """A site with one address for everything."""
    found = watched_site(make_site, webhook)
    monkeypatch.setenv("HOLDFAST_STATE", found.site.variables["HOLDFAST_STATE"])
    return found


def test_a_quiet_environment_says_nothing_and_writes_once(watched: WatchedSite) -> None:
    """A healthy one has one record, however many rounds look at it in a day."""
    for _ in range(4):
        report = watched.round()
        assert (report.findings, report.undelivered, report.is_ok) == ((), (), True)
    assert watched.hook.taken == []
    assert len([name for name in watched.records() if name.endswith(".json")]) == 1


def test_a_finding_is_said_once_reminded_and_resolved(watched: WatchedSite) -> None:
    """Its thread makes one message, one more each four hours, and a last one when it is gone."""
    assert watched.round(finding()).raised == ("shop/production/nightly",)
    assert watched.hook.titles == ["[page] shop/production: nightly backup missing"]
    for _ in range(15):
        assert watched.round(finding()).reminded == ()
    assert watched.hook.taken == []
    assert watched.round(finding()).reminded == ("shop/production/nightly",)
    (reminder,) = watched.hook.taken
    assert reminder.title == "[page] shop/production: still: nightly backup missing"
    assert reminder.message["message"].startswith("Open for 4 h 00 min, said once before.\n")
    assert watched.round().resolved == ("shop/production/nightly",)
    (gone,) = watched.hook.taken
    assert gone.title == "[resolved] shop/production: nightly backup missing"
    assert gone.message["message"].startswith("Resolved after 4 h 15 min")
    assert gone.message["type"] == "success"
    for _ in range(6):
        watched.round()
    assert watched.hook.taken == []


def test_a_message_says_what_is_needed_at_night(make_site: MakeSite, webhook: Webhook) -> None:
    """What, since when, what it means, what to do, where to look, and whom to call."""
    alerts = (
        "conn_id: shop_alerts, runbook_url: 'https://docs.example.com/hf/', "
        "airflow_url: 'https://airflow.example.com', contacts: {on_call: 'Ada +49 30 1', team_lead: Grace}"
    )
    watched_site(make_site, webhook, alerts).round(finding())
    (received,) = webhook.taken
    assert received.message["message"].splitlines() == [
        "shop/production: nightly backup missing",
        "Since: 2026-11-22 06:00 UTC (15 min 00 s)",
        "What it means: It would be lost.",
        "What to do: Look.",
        "Runbook: https://docs.example.com/hf/findings.md#late",
        "DAG: https://airflow.example.com/dags/shop-production.nightly",
        "On-call DevOps (initiates the restore): Ada +49 30 1",
        "Team lead (approves changes of production): Grace",
    ]


def test_findings_of_one_thread_make_one_message(watched: WatchedSite) -> None:
    """One cause calls once, also when more comes to light about it, unless that is worse."""
    watched.round(finding(severity="notify"), finding(kind="growth", severity="notify"))
    assert len(watched.hook.taken) == 1
    watched.round(finding(severity="notify"), finding(kind="too_large", severity="notify"))
    assert watched.hook.taken == []
    watched.round(finding(severity="notify"), finding(kind="too_small"))
    assert watched.hook.titles == ["[page] shop/production: nightly backup missing"]


def test_severities_have_routes_and_notices_come_as_a_digest(make_site: MakeSite, webhook: Webhook) -> None:
    """Pages go to one address, what can wait to another in one message, also when it is over."""
    watched = watched_site(make_site, webhook, ROUTES, tags=("ops", "dev"))
    notices = [finding(name, "drill_overdue", "notify") for name in ("a", "b", "c")]
    watched.round(finding(), *notices)
    page, digest = webhook.taken
    assert (page.path, page.title) == (f"/hook-ops/{TOKEN}", "[page] shop/production: nightly backup missing")
    assert (digest.path, digest.title) == (f"/hook-dev/{TOKEN}", "[notify] shop/production: 3 things to look at")
    assert digest.message["message"].startswith("- a backup missing\n- b backup missing\n- c backup missing\n")
    watched.round(notices[0])
    assert [(each.path, each.title) for each in webhook.taken] == [
        (f"/hook-dev/{TOKEN}", "[resolved] shop/production: b backup missing"),
        (f"/hook-dev/{TOKEN}", "[resolved] shop/production: c backup missing"),
        (f"/hook-ops/{TOKEN}", "[resolved] shop/production: nightly backup missing"),
    ]


def test_many_pages_at_once_are_one_call(watched: WatchedSite) -> None:
    """Who is woken needs one list, not twenty calls."""
    watched.round(*(finding(f"tier{number}") for number in range(7)))
    assert watched.hook.titles == ["[page] shop/production: 7 alerts"]


def test_what_flaps_is_not_paged_a_second_time_at_once(watched: WatchedSite) -> None:
    """Back within the hour it is said at the hour's end if it lasts, and resolved again only after a quiet hour."""
    watched.round(finding())
    watched.round()
    assert watched.hook.titles == [
        "[page] shop/production: nightly backup missing",
        "[resolved] shop/production: nightly backup missing",
    ]
    for _ in range(3):
        watched.round(finding())
    assert watched.hook.taken == []
    watched.round(finding())
    (back,) = watched.hook.taken
    assert back.title == "[page] shop/production: still: nightly backup missing"
    assert back.message["message"].startswith("It is back: it was resolved, and has come back once since.")
    for _ in range(4):
        watched.round()
    assert watched.hook.taken == []
    watched.round()
    assert watched.hook.titles == ["[resolved] shop/production: nightly backup missing"]


def test_a_clock_that_was_ahead_silences_nothing(watched: WatchedSite) -> None:
    """One round of a host that was years ahead: what it raised is resolved, and paged anew once it is there again."""
    right = watched.now
    for kind in ("late", "never_started"):
        watched.now = right + timedelta(days=3650)
        watched.round(finding(kind=kind))
        watched.now = right
        assert watched.round().resolved == ("shop/production/nightly",)
        watched.hook.taken.clear()
        right = watched.now + timedelta(hours=2)
    watched.now = right + timedelta(days=3650)
    watched.round(finding())
    watched.now = right
    watched.hook.taken.clear()
    rounds = [watched.round(finding()) for _ in range(18)]
    assert [round.reminded for round in rounds].count(("shop/production/nightly",)) == 1, "as if said when it was known"


def test_two_watches_at_once_page_once(watched: WatchedSite) -> None:
    """The DAG and cron may meet: whoever claims the alert sends it, the other says nothing."""
    barrier = threading.Barrier(4)
    reports = []

    def look() -> None:
        environment = watched.environment()
        barrier.wait()
        reports.append(watch_round(environment, START, carried=Carried((finding(), finding("monthly")))))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(watched.hook.titles) == [
        "[page] shop/production: monthly backup missing",
        "[page] shop/production: nightly backup missing",
    ]
    assert sorted(thread for report in reports for thread in report.raised) == [
        "shop/production/monthly",
        "shop/production/nightly",
    ]
    assert watched.round(finding(), finding("monthly")).undelivered == ()
    assert watched.hook.taken == []


def test_a_failed_run_is_said_once_and_over_when_the_watch_sees_better(watched: WatchedSite) -> None:
    """It holds its thread: what the rounds find of the same cause is not said again."""
    failed = finding(kind="run_failed")
    assert watched.event(failed).raised == ("shop/production/nightly",)
    assert watched.event(failed).raised == ()
    report = watched.round(finding())
    assert {found.kind for found in report.findings} == {"run_failed", "late"}
    assert watched.round().resolved == ()
    assert watched.hook.titles == ["[page] shop/production: nightly backup missing"]
    assert watched.round(minutes=24 * 60).resolved == ("shop/production/nightly",)


def test_the_watch_that_failed_is_well_once_it_watches(watched: WatchedSite) -> None:
    """Its own failure ends with the first round after it."""
    watched.event(finding("watch", "run_failed"))
    assert watched.round().resolved == ("shop/production/watch",)


def test_the_memory_stays_small(watched: WatchedSite) -> None:
    """Old records are removed; what is open stays known."""
    for number in range(10):
        watched.round(finding(f"tier{number}"))
    assert len(watched.records()) == 8
    watched.hook.taken.clear()
    assert watched.round(finding("tier9")).raised == ()


def test_a_forged_memory_is_told_and_not_believed(watched: WatchedSite) -> None:
    """Who can write to the store cannot make the watch believe that people were told, or that all is well."""
    watched.round(finding())
    assert len(watched.hook.taken) == 1
    newest = sorted(name for name in watched.records() if name.endswith(".json"))[-1]
    forged = json.loads((watched.site.store_folder / newest).read_text())
    number = forged["number"] + 1
    (watched.site.store_folder / newest).with_name(f"{number:08}.json").write_text(
        json.dumps(forged | {"number": number, "alerts": []})
    )
    report = watched.round(finding())
    (told,) = [found for found in report.findings if found.kind == "signature_mismatch"]
    assert f"{number:08}.json" in told.text
    assert len(watched.hook.taken) == 1, "the forgery is said; what was open is still known from the record before"


def test_what_a_stranger_put_there_does_not_fill_the_memory(watched: WatchedSite) -> None:
    """A record larger than any is told and not read; a name with zeros before its number is passed over."""
    watched.round(finding())
    folder = watched.site.store_folder / "shop/production/watch"
    with (folder / "00000007.json").open("wb") as file:
        file.truncate((64 << 20) + 1)
    (folder / "0000000008.json").write_bytes(b"x")
    report = watched.round(finding())
    (told,) = [found for found in report.findings if found.kind == "signature_mismatch"]
    assert "00000007.json is 67108865 bytes, which no record is" in told.text
    assert len(watched.hook.taken) == 2, "what was open is still known"


def test_a_host_without_the_signing_key_cannot_watch(watched: WatchedSite) -> None:
    """It says so at once; status needs no key to sign with."""
    watched.site.edit_policy(f"signing_key_file: {watched.site.keys}/signing.pem", "")
    with pytest.raises(UsageError, match="signing_key_file is not set"):
        watched.round()
    assert watched.site.json("status", str(watched.site.policy_file))["findings"] == []
