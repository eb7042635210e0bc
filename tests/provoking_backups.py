"""Backups that are missing, late, or unlike those before them."""

from __future__ import annotations

from datetime import timedelta

from fix_postgres import execute
from holdfast.backup import commit_manifest, dump_database, open_restore_point, verify_list
from holdfast.values.ids import RestorePointId
from provoking_site import LAST_NIGHT, NIGHT, UNSCHEDULED, Expected, Provoked, Scenario, Steps

NIGHTLY = 'nightly: {schedule: "0 2 * * *", keep: 35d}'
TONIGHT = LAST_NIGHT + NIGHT
HOUR = timedelta(hours=1)


def never_started(site: Provoked) -> Steps:
    """No run of the night: nobody was there to fail."""
    site.arrange(NIGHTLY)
    site.nights(5)
    site.come_to(TONIGHT + HOUR)
    yield None
    yield Expected(
        "the nightly backup due at Mon 23 Nov 2026 02:00 UTC has not started",
        "`holdfast backup POLICY production nightly`",
        since=TONIGHT,
        due_at=TONIGHT + HOUR,
    )
    site.point()
    yield None


def late(site: Provoked) -> Steps:
    """A run has begun and does not come to its end."""
    site.arrange(NIGHTLY)
    site.nights(5)
    id = open_restore_point(site.environment(), tier="nightly", opened_at=TONIGHT, origin="scheduled")
    site.come_to(TONIGHT + HOUR)
    yield None
    yield Expected(
        f"the nightly backup {id}, opened Mon 23 Nov 2026 02:00 UTC, is not committed",
        "Read the log of the newest run of `shop-production.nightly`",
        since=TONIGHT,
        due_at=TONIGHT + HOUR,
    )
    site.point()
    yield None


def rpo_exceeded(site: Provoked) -> Steps:
    """The newest restore point grows older than was agreed, long before its run counts as missing."""
    site.arrange(NIGHTLY, "targets: {rpo: 24h}", alerts=", late_after: 6h")
    newest = site.nights(5)[-1]
    due_at = LAST_NIGHT + 25 * HOUR
    site.come_to(due_at)
    yield None
    yield Expected(
        f"the newest restore point, {newest}, shows Sun 22 Nov 2026 02:00 UTC",
        "`holdfast backup POLICY production nightly`",
        since=TONIGHT,
        due_at=due_at,
    )
    site.point()
    yield None


def too_quick(site: Provoked) -> Steps:
    """As large as ever, and done in no time."""
    site.arrange(UNSCHEDULED)
    site.nights(6, seconds=1800)
    yield None
    id = site.point(seconds=20)
    yield Expected(f"the newest nightly backup, {id}, was taken in 20", "`holdfast verify POLICY", since=id.opened_at)
    site.point(site.now + timedelta(minutes=1), seconds=1700)
    yield None


def too_large(site: Provoked) -> Steps:
    """Five times as much as in all the nights before."""
    site.arrange(UNSCHEDULED)
    site.nights(6)
    yield None
    id = site.point(stored_bytes=100_000)
    yield Expected(f"the newest nightly backup, {id}, holds", "Which table has grown", since=id.opened_at)
    site.point(site.now + timedelta(minutes=1))
    yield None


def too_small(site: Provoked) -> Steps:
    """Real backups of a real database, from which somebody deletes nearly all rows."""
    fill = "INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1, 3000) n"
    url = site.make_database(f"CREATE TABLE orders (id int PRIMARY KEY, text text); {fill}")
    site.site.variables["AIRFLOW_CONN_SHOP_DB"] = url
    site.arrange("nightly: {keep: 35d, min_size_ratio: 0.0}")
    for nights in range(5, 0, -1):
        _backup(site, nights)
    yield None
    execute(url, "DELETE FROM orders WHERE id > 30")
    id = _backup(site, 0)
    yield Expected(f"the newest nightly backup, {id}, holds", "`holdfast hold add POLICY", since=id.opened_at)
    execute(url, f"TRUNCATE orders; {fill}")
    _backup(site, 0)
    yield None


def _backup(site: Provoked, nights: int) -> RestorePointId:
    """A whole backup by pg_dump, as if taken so many nights ago."""
    environment = site.environment()
    id = open_restore_point(environment, tier="nightly", opened_at=site.now - nights * NIGHT, origin="test")
    dump_database(environment, id)
    verify_list(environment, id)
    commit_manifest(environment, id)
    site.received(environment.keys.manifest(id), id.opened_at + timedelta(minutes=1))
    return id


SCENARIOS = tuple(
    Scenario(play.__name__, play) for play in (never_started, late, rpo_exceeded, too_quick, too_large, too_small)
)
