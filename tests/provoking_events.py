"""What runs report themselves, what only a round of all environments can tell, and messages that do not arrive."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

from fix_webhook import closed_port
from holdfast.watch import raise_alert
from holdfast.watch.judging.runs import deadline_missed, run_failed
from provoking_site import UNSCHEDULED, Expected, Provoked, Scenario, Steps

RUN = ("shop-production.nightly", "scheduled__2026-11-23T02:00:00+00:00")
MINUTE = timedelta(minutes=1)


def failed(site: Provoked) -> Steps:
    """A run comes to its end without a restore point, and its callback says so."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    yield None
    environment = site.environment()
    finding = run_failed("shop", "production", "nightly", environment.policy, *RUN, ["dump_database"], site.now)
    raise_alert(environment, finding, site.now)
    yield Expected(f"the run {RUN[1]} of {RUN[0]} failed", "Read the log of dump_database", since=site.now)
    site.point(site.now + MINUTE)
    yield None


def missed(site: Provoked) -> Steps:
    """A run hangs until its deadline, whose callback says so; then it ends after all."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    yield None
    environment, queued_at = site.environment(), site.now - timedelta(hours=6)
    finding = deadline_missed("shop", "production", "nightly", environment.policy, *RUN, queued_at)
    raise_alert(environment, finding, site.now)
    yield Expected(f"the run {RUN[1]} of {RUN[0]}, queued at", "A restart of its worker", since=queued_at)
    site.point(site.now + MINUTE)
    yield None


def policy_broken(site: Provoked) -> Steps:
    """Somebody breaks another application's policy file."""
    other = _with_other(site)
    text = other.read_text()
    yield None
    other.write_text(text.replace("tiers:", "tires:"))
    yield Expected("other.yaml", "`holdfast policy check POLICY` names every fault")
    other.write_text(text)
    yield None


def missing_connection(site: Provoked) -> Steps:
    """Another application's store needs a connection that is not there."""
    other = _with_other(site)
    text = other.read_text()
    yield None
    other.write_text(text.replace("conn_id: null", "conn_id: not_there"))
    yield Expected(
        "other/production cannot be looked at: ", "`holdfast doctor POLICY production` shows what is missing"
    )
    other.write_text(text)
    yield None


def _with_other(site: Provoked) -> Path:
    """The policy of another application, watched beside the site's own."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    other = site.site.folder / "other.yaml"
    text = site.site.policy_file.read_text().replace("app: shop", "app: other")
    other.write_text(text.replace(UNSCHEDULED, "restore_drill: {}"))
    site.policy_files = [site.site.policy_file, other]
    return other


def alert_undelivered(site: Provoked) -> Steps:
    """Who is to be woken cannot be reached: the other way says so, from the second round on."""
    site.arrange(UNSCHEDULED)
    artifact = site.folder(site.nights(3)[-1]) / "database.dump.age"
    connection = site.site.variables["AIRFLOW_CONN_SHOP_ALERTS"]
    away = json.loads(connection)
    away["extra"]["config"][0]["path"] = f"json://127.0.0.1:{closed_port()}/x"
    yield None
    site.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = json.dumps(away)
    aside = artifact.rename(site.site.folder / "aside")
    site.round()
    assert site.hook.taken == []
    yield Expected(
        "messages of severity page do not arrive: connection shop_alerts: JSON: did not take it",
        "`holdfast alerts test POLICY production --severity page`",
        since=site.now,
        due_at=site.now,
        besides=frozenset({"artifact_missing"}),
        other_way=True,
        resolved=2,
    )
    aside.rename(artifact)
    site.site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = connection
    yield None


SCENARIOS = (
    Scenario("run_failed", failed),
    Scenario("deadline_missed", missed),
    Scenario("policy_broken", policy_broken),
    Scenario("store_unreachable", missing_connection),
    Scenario("alert_undelivered", alert_undelivered),
)
