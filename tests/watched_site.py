"""A site whose environment has alerts, and rounds of its watch that are shown findings of a test's choice."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fix_environment import MakeSite, Site
from fix_webhook import Webhook
from holdfast.environment import Environment
from holdfast.policy.alerts import Severity
from holdfast.watch import RoundReport, raise_alert, watch_round
from holdfast.watch.finding import Finding
from holdfast.watch.round import Carried

START = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
# Without schedules nothing is missing, so that a round finds what the test shows it.
_QUIET = (('schedule: "0 2 * * *", ', ""), ('schedule: "0 3 1 * *", ', ""))
ALERTS = "conn_id: shop_alerts"
OFF = ", severities: {never_started: off, store_guard: off}"


@dataclass
class WatchedSite:
    """A site, the server that its messages go to, and the time, which goes on only as the test says."""

    site: Site
    hook: Webhook
    now: datetime = START

    def environment(self) -> Environment:
        """Opened anew, as each round does."""
        return self.site.environment()

    def round(self, *findings: Finding, minutes: float = 15) -> RoundReport:
        """One round that finds these, some minutes after the last one."""
        self.now += timedelta(minutes=minutes)
        return watch_round(self.environment(), self.now, carried=Carried(findings, frozenset()))

    def event(self, finding: Finding, minutes: float = 1) -> RoundReport:
        """A run that reports itself."""
        self.now += timedelta(minutes=minutes)
        return raise_alert(self.environment(), finding, self.now)

    def records(self) -> list[str]:
        """The files of the watch's memory in the store."""
        return [name for name in self.site.stored_files() if "/watch/" in name]


def watched_site(
    make_site: MakeSite, hook: Webhook, alerts: str = ALERTS, *, tags: tuple[str, ...] = (), **store: str
) -> WatchedSite:
    """A site with no database, whose policy has ``alerts`` and whose connection leads to ``hook``."""
    site = make_site("postgresql://nobody@127.0.0.1:1/shop", **store)
    for old, new in _QUIET:
        site.edit_policy(old, new)
    site.policy_file.write_text(site.policy_file.read_text() + f"    alerts: {{{alerts}{OFF}}}\n")
    site.variables["AIRFLOW_CONN_SHOP_ALERTS"] = hook.connection(*tags)
    site.variables["HOLDFAST_STATE"] = str(site.folder / "state")
    return WatchedSite(site, hook)


def finding(
    subject: str = "nightly", kind: str = "late", severity: Severity = "page", thread: str | None = None
) -> Finding:
    """Something that is wrong with ``subject``."""
    place = "shop/production"
    return Finding(
        id=f"{place}/{kind}/{subject}",
        thread=f"{place}/{thread or subject}",
        kind=kind,
        severity=severity,
        app="shop",
        environment="production",
        subject=subject,
        text=f"{place}: {subject} backup missing",
        since=START,
        meaning="It would be lost.",
        advice="Look.",
        runbook="findings.md#late",
        dag=f"shop-production.{subject}",
    )
