"""Exports expire by their own rule, never the newest, whatever the clock says and whatever else is in the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fix_environment import MakeSite, Site
from holdfast.catalog import write_signed
from holdfast.environment import Environment
from holdfast.expire import expire
from holdfast.manifest.exports import ExportedTable, ExportManifest
from holdfast.retention import Point
from holdfast.retention.exports import decide_exports
from holdfast.values.duration import Duration
from holdfast.values.ids import RestorePointId
from point_factory import store_point

START = datetime(2026, 1, 1, 3, tzinfo=UTC)
KEEP = Duration.parse("1y")
OBJECT = "001-public.payments.csv.zst.age"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site that keeps exports for a year, and whose database is never asked for."""
    made = make_site("postgresql://nobody@127.0.0.1:1/none")
    made.edit_policy("    tiers:\n", "    compliance_export: {tables: [payments], keep: 1y}\n    tiers:\n")
    return made


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


def _export(environment: Environment, day: int, *, is_signed: bool = True, is_committed: bool = True) -> RestorePointId:
    id = RestorePointId.make(START + timedelta(days=day), "monthly", str(day))
    environment.store.put(environment.keys.export(id, OBJECT), [b"x" * 64])
    table = ExportedTable(
        schema_name="public", name="payments", columns=("id",), rows=1, object=OBJECT, bytes=64, sha256="0" * 64
    )
    manifest = ExportManifest(
        id=str(id),
        app="shop",
        environment="production",
        tier="monthly",
        holdfast_version="0.1.0",
        server_version="18.6",
        system_identifier="7",
        database="shop",
        snapshot_at=id.opened_at,
        recipients=("age1x",),
        tables=(table,),
    )
    if is_committed:
        key, signature = (environment.keys.export(id, name) for name in ("manifest.json", "manifest.sig"))
        write_signed(environment.store, key, signature, manifest.encode(), environment.signer())
        if not is_signed:
            environment.store.delete(signature)
    return id


def _ids(environment: Environment) -> list[RestorePointId]:
    return [entry.id for entry in environment.export_catalog.entries()]


def test_old_exports_go_with_everything_they_own(environment: Environment, site: Site) -> None:
    """Those past a year go, as a dry run says; the others, and everything else in the store, stay."""
    old, older = _export(environment, 30), _export(environment, 0)
    kept = [_export(environment, 300), _export(environment, 600)]
    now = START + timedelta(days=630)
    before = site.stored_files()
    announced = expire(environment, now=now, dry_run=True)
    assert site.stored_files() == before
    report = expire(environment, now=now)
    assert announced.exports == report.exports
    assert [deletion.id for deletion in report.exports.deleted] == [str(older), str(old)]
    assert _ids(environment) == kept
    assert report.as_json()["bytes_freed"] == report.exports.freed_bytes > 128


@pytest.mark.parametrize("year", [1985, 2026, 2090])
def test_newest_stays_under_any_clock(environment: Environment, year: int) -> None:
    """A clock that jumps decades never takes the last export, nor one that cannot be trusted."""
    _, newest, forged = _export(environment, 0), _export(environment, 10), _export(environment, 20, is_signed=False)
    expire(environment, now=datetime(year, 6, 1, tzinfo=UTC))
    assert {newest, forged} <= set(_ids(environment))


def test_without_a_rule_everything_stays(environment: Environment, site: Site) -> None:
    """A policy from which the section was taken out deletes no export."""
    ids = [_export(environment, day) for day in (0, 10)]
    site.edit_policy("    compliance_export: {tables: [payments], keep: 1y}\n", "")
    expire(site.environment(), now=START + timedelta(days=9999))
    assert _ids(environment) == ids


def test_exports_and_restore_points_do_not_keep_each_other(environment: Environment) -> None:
    """A restore point that goes leaves its export, and the other way round."""
    store_point(environment.catalog, environment.signer(), START, "nightly")
    store_point(environment.catalog, environment.signer(), START + timedelta(days=500), "nightly")
    first, last = _export(environment, 0), _export(environment, 500)
    report = expire(environment, now=START + timedelta(days=100))
    assert (len(report.deleted), report.exports.deleted) == (1, ())
    assert _ids(environment) == [first, last]


def test_remnants_wait_for_a_later_backup_and_the_grace_time(environment: Environment, site: Site) -> None:
    """An export without a manifest is left alone until a later restore point stands and its time is over."""
    remnant = _export(environment, 0, is_committed=False)
    after = datetime.now(UTC) + timedelta(days=3)
    assert expire(environment, now=after).exports.deleted == ()
    store_point(environment.catalog, environment.signer(), START + timedelta(days=1))
    (deletion,) = expire(environment, now=after).exports.deleted
    assert (deletion.id, deletion.is_remnant) == (str(remnant), True)
    assert not [name for name in site.stored_files() if "/exports/" in name]


days = st.integers(-4000, 4000)


@given(st.lists(st.tuples(days, days, st.booleans(), st.booleans()), max_size=8, unique_by=lambda one: one[0]), days)
def test_decisions(facts: list[tuple[int, int, bool, bool]], today: int) -> None:
    """One for each; none takes the newest whole one by either clock, the distrusted, or the young."""
    now = START + timedelta(days=today)
    points = [
        Point(
            RestorePointId.make(START + timedelta(days=at), "monthly", "x"),
            START + timedelta(days=snapshot),
            False,
            *is_,
        )
        for at, snapshot, *is_ in facts
    ]
    decisions = decide_exports(points, KEEP, now)
    assert [decision.id for decision in decisions] == sorted(point.id for point in points)
    gone = {decision.id for decision in decisions if not decision.keep}
    whole = [point for point in points if point.is_trusted and point.is_whole]
    if whole:
        assert max(whole, key=lambda point: (point.taken_at, point.id)).id not in gone
        assert max(whole, key=lambda point: (point.taken_at_least, point.id)).id not in gone
    for point in points:
        if point.id in gone:
            assert point.is_trusted
            assert point.taken_at < KEEP.before(now)
    assert all(decision.keep for decision in decide_exports(points, None, now))
