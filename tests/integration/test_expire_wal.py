"""Expire lets base backups and WAL go together, keeps what is recovered from, and shows the window before and after."""

from __future__ import annotations

import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from aged_wal import AgedWal, name
from fix_bucket import RawBucket
from fix_environment import MakeSite, Site
from holdfast.catalog.wal import WalPiece
from holdfast.environment import Environment
from holdfast.expire import add_hold, expire, remove_hold
from holdfast.values import keys
from holdfast.values.ids import RestorePointId
from holdfast_embedded.seaweedfs import SeaweedFS

NOW = datetime.now(UTC).replace(microsecond=0)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def _policy(site: Site, *, base: str = "14d", wal: str = "7d") -> None:
    site.edit_policy("database: {conn_id: shop_db}", "database: {conn_id: shop_db, pitr: streaming}")
    tiers = f"    tiers:\n      base_backup: {{keep: {base}}}\n      wal: {{schedule: continuous, keep: {wal}}}\n"
    site.edit_policy("    tiers:\n", tiers)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site that keeps base backups for 14 days and WAL for 7."""
    site = make_site("postgresql://nobody@127.0.0.1:1/none")
    _policy(site)
    return site


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


@pytest.fixture
def maker(environment: Environment) -> AgedWal:
    """Of the environment's only cluster."""
    return AgedWal(environment)


def _weeks(maker: AgedWal, weeks: int = 4) -> list[RestorePointId]:
    """Two segments a day for some weeks up to now, and a base backup at the beginning of each week, oldest first."""
    start = NOW - 7 * DAY * weeks
    maker.segments(10, 10 + 14 * weeks, start, 12 * HOUR)
    return [maker.base(10 + 14 * week, start + 7 * DAY * week) for week in range(weeks)]


def _bases(environment: Environment) -> list[RestorePointId]:
    return [entry.id for entry in environment.base_catalog.entries() if entry.is_committed]


def test_base_backups_go_by_their_span_and_wal_from_behind_the_oldest(environment: Environment, maker: AgedWal) -> None:
    """Of four weeks the last two base backups stay with all WAL from the first of them on; a dry run says the same."""
    ids = _weeks(maker)
    now = NOW
    announced = expire(environment, now=now, dry_run=True)
    assert (_bases(environment), len(maker.names())) == (ids, 57)
    report = expire(environment, now=now)
    assert announced.wal == report.wal
    assert announced.base_backups == report.base_backups
    assert [deletion.id for deletion in report.base_backups.deleted] == [str(ids[1]), str(ids[0])]
    assert _bases(environment) == ids[2:]
    assert maker.names() == [name(number) for number in range(38, 67)]
    facts = report.wal.as_json()
    assert (facts["deleted_segments"], facts["kept_segments"], facts["bytes"]) == (28, 29, 28 * 32)
    assert report.wal.before is not None and report.wal.after is not None
    (before,), (after,) = report.wal.before, report.wal.after
    assert before["base_backups"] == [str(id) for id in ids]
    assert after["base_backups"] == [str(id) for id in ids[2:]]
    assert (before["to"], after["to"]) == (NOW.isoformat(), NOW.isoformat())
    again = expire(environment, now=now)
    assert (again.wal.deleted, again.base_backups.deleted, again.wal.before) == ((), (), report.wal.after)


def test_wal_of_its_span_stays_whatever_base_backups_there_are(
    environment: Environment, maker: AgedWal, site: Site
) -> None:
    """Where base backups are kept for a day only, the last one before the seven days of WAL stays with its WAL."""
    ids = _weeks(maker)
    site.edit_policy("keep: 14d", "keep: 1d")
    report = expire(site.environment(), now=NOW + HOUR)
    # The last base backup was taken seven days and an hour ago: it is what those days are recovered from.
    assert _bases(environment) == ids[3:]
    assert maker.names()[0] == name(52)
    maker.base(60, NOW - 3 * DAY)
    report = expire(site.environment(), now=NOW + HOUR)
    assert _bases(environment)[0] == ids[3]
    assert "7d of tier wal" in report.base_backups.kept[0].reason
    assert maker.names()[0] == name(52)


@pytest.mark.parametrize("now", [datetime(2090, 1, 1, tzinfo=UTC), datetime(1990, 1, 1, tzinfo=UTC)])
def test_clock_jump_leaves_the_newest_window(environment: Environment, maker: AgedWal, now: datetime) -> None:
    """Years later or earlier, the newest base backup stands with all WAL behind it."""
    ids = _weeks(maker)
    report = expire(environment, now=now)
    assert ids[-1] in _bases(environment)
    assert {name(number) for number in range(52, 67)} <= set(maker.names())
    assert report.wal.after


def test_newest_without_its_wal_protects_nothing(environment: Environment, maker: AgedWal) -> None:
    """A base backup of which a segment is missing is no reason to give up the one before; it goes as useless."""
    good = maker.base(10, NOW - 60 * DAY)
    maker.segments(10, 20, NOW - 60 * DAY, DAY)
    useless = maker.base(30, NOW - 30 * DAY, segments=2)
    maker.segment(30, NOW - 30 * DAY)
    report = expire(environment, now=NOW)
    assert _bases(environment) == [good]
    assert [deletion.id for deletion in report.base_backups.deleted] == [str(useless)]
    assert "of no use" in report.base_backups.deleted[0].reason
    assert maker.names() == [name(number) for number in (*range(10, 21), 30)]


def test_nothing_goes_where_nothing_can_be_recovered(environment: Environment, maker: AgedWal) -> None:
    """With neither WAL for the only base backup nor a base backup for the WAL, all of it is left."""
    useless = maker.base(30, NOW - 60 * DAY)
    maker.segments(10, 20, NOW - 60 * DAY, DAY)
    report = expire(environment, now=NOW)
    assert _bases(environment) == [useless]
    assert len(maker.names()) == 11
    assert "no base backup of this cluster can be recovered" in report.wal.left[0]


def test_what_an_incremental_builds_on_stays_with_its_wal(environment: Environment, maker: AgedWal) -> None:
    """A full one is older than its span, but the held incremental needs it; without the hold both go."""
    start = NOW - 60 * DAY
    maker.segments(10, 70, start, DAY)
    full = maker.base(10, start)
    first = maker.base(12, start + 2 * DAY, parents=(full,))
    second = maker.base(14, start + 4 * DAY, parents=(full, first))
    newest = maker.base(65, NOW - 5 * DAY)
    spanning = maker.base(60, NOW - 10 * DAY)
    add_hold(environment, second, now=NOW, by="somebody")
    expire(environment, now=NOW)
    assert _bases(environment) == [full, first, second, spanning, newest]
    assert maker.names()[0] == name(10)
    remove_hold(environment, second)
    report = expire(environment, now=NOW)
    assert [deletion.id for deletion in report.base_backups.deleted] == [str(second), str(first), str(full)]
    assert maker.names()[0] == name(60)


def test_base_backup_with_a_wrong_signature_is_left_and_keeps_the_wal(environment: Environment, maker: AgedWal) -> None:
    """Nobody knows what it needs: neither it nor what is before it goes, and no WAL."""
    ids = _weeks(maker)
    key = environment.keys.base_backup(ids[1], keys.SIGNATURE)
    environment.store.delete(key)
    environment.store.put(key, [b"\0" * 64])
    report = expire(environment, now=NOW)
    assert _bases(environment) == ids
    assert len(maker.names()) == 57
    reasons = {decision.id: decision.reason for decision in report.base_backups.kept}
    assert "left for a person" in reasons[ids[1]]


def test_unfinished_base_backup_holds_the_wal_until_it_is_given_up(environment: Environment, maker: AgedWal) -> None:
    """One that may be under way stops the deletion of WAL; after the grace time its remnants go, and then WAL does."""
    ids = _weeks(maker)
    running = maker.base(66, NOW - HOUR, is_committed=False)
    report = expire(environment, now=NOW)
    assert len(maker.names()) == 57
    assert str(running) in report.wal.left[0]
    dead = maker.base(40, NOW - 20 * DAY, is_committed=False)
    environment.store.delete(environment.keys.base_backup(running, keys.BASE_TAR))
    report = expire(environment, now=NOW)
    assert [each.id for each in report.base_backups.deleted if each.is_remnant] == [str(dead)]
    assert maker.names()[0] == name(38)
    assert _bases(environment) == ids[2:]


def test_replaced_cluster_goes_once_another_has_a_base_backup(environment: Environment, maker: AgedWal) -> None:
    """WAL alone of the new cluster does not replace the old one; its first base backup does, after the spans."""
    old_base = maker.base(10, NOW - 60 * DAY)
    maker.segments(10, 30, NOW - 60 * DAY, DAY)
    newer = AgedWal(environment, "7430000000000000002")
    newer.segments(3, 5, NOW - 30 * DAY, DAY)
    expire(environment, now=NOW)
    assert _bases(environment) == [old_base]
    assert len(maker.names()) == 21
    base = newer.base(4, NOW - 29 * DAY)
    report = expire(environment, now=NOW)
    assert _bases(environment) == [base]
    assert maker.names() == []
    assert newer.names() == [name(4), name(5)]
    assert report.wal.after is not None
    assert [stretch["system_identifier"] for stretch in report.wal.after] == [newer.system]


def test_timelines_keep_their_histories_while_needed(environment: Environment, maker: AgedWal) -> None:
    """WAL of the first timeline goes once base backups are of the second only; the history stays as long as its WAL."""
    start = NOW - 60 * DAY
    old = maker.base(10, start)
    maker.segments(10, 30, start, DAY)
    maker.history(2, start + 20 * DAY, ((1, f"0/{(30 << 20) + 4096:X}"),))
    maker.segments(30, 70, start + 20 * DAY, DAY, timeline=2)
    report = expire(environment, now=NOW)
    assert _bases(environment) == [old]
    assert report.wal.deleted == ()
    base = maker.base(55, NOW - 15 * DAY, timeline=2)
    newest = maker.base(60, NOW - 10 * DAY, timeline=2)
    expire(environment, now=NOW)
    assert _bases(environment) == [newest]
    assert base not in _bases(environment)
    assert maker.names() == ["00000002.history", *(name(number, 2) for number in range(60, 71))]


def test_remnants_of_streaming_go_after_the_grace_time(environment: Environment, maker: AgedWal) -> None:
    """Shorter beginnings go at once, a record alone after two days; a fresh one, or the last one, is a streamer's."""
    _weeks(maker)
    catalog, keys_of = environment.wal_catalog, environment.keys
    maker.record_alone(WalPiece.partial(maker.system, name(60), 4096), NOW - 3 * DAY)
    maker.record_alone(WalPiece.partial(maker.system, name(61), 4096), NOW - HOUR)
    maker.record_alone(WalPiece.segment(maker.system, name(67)), NOW - 3 * DAY)
    maker.partial(62, 8192, NOW - HOUR)
    maker.partial(68, 4096, NOW)
    maker.partial(68, 8192, NOW)
    unrecorded = keys_of.wal_piece(maker.system, 1, f"{name(63)}.00001000.partial")
    environment.store.put(unrecorded, [b"x"])
    maker.age(unrecorded, NOW - 5 * DAY)
    report = expire(environment, now=NOW)
    left = {piece.name for piece in catalog.pieces() if piece.kind == "partial" or not piece.is_stored}
    assert left == {
        f"{name(61)}.00001000.partial",
        f"{name(63)}.00001000.partial",
        name(67),
        f"{name(68)}.00002000.partial",
    } - {name(67)}
    assert any("its record is missing" in each for each in report.wal.left)


@pytest.mark.parametrize("delay_s", [0.0, 0.02, 0.1])
def test_killed_expire_leaves_a_whole_window_and_is_finished_by_the_next(
    site: Site, maker: AgedWal, delay_s: float
) -> None:
    """Killed amid its deletions: what can be recovered afterwards has no gap, and a second run ends the work."""
    ids = _weeks(maker, 8)
    environment = site.environment()
    first = site.store_folder / environment.keys.base_backup(ids[0], keys.MANIFEST)
    command = site.command("expire", str(site.policy_file), "production")
    process = subprocess.Popen(command, env=site.surroundings(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while first.exists() and process.poll() is None:
        time.sleep(0.001)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert {name(number) for number in range(108, 123)} <= set(maker.names())
    found = site.json("expire", str(site.policy_file), "production")["wal"]["window_before"]
    assert [stretch["base_backups"][-1] for stretch in found] == [str(ids[-1])]
    later = NOW + 4 * DAY
    report = expire(environment, now=later)
    assert maker.names()[0] == name(108)
    assert report.wal.after is not None
    assert [stretch["to"] for stretch in report.wal.after] == [NOW.isoformat()]
    assert [piece.name for piece in environment.wal_catalog.pieces() if not piece.is_stored] == []


def test_command_line_tells_the_window_and_holds_base_backups(site: Site, maker: AgedWal) -> None:
    """Text and JSON of `expire`, and `hold` of a base backup."""
    ids = _weeks(maker)
    policy = str(site.policy_file)
    assert site.json("hold", "add", policy, "production", str(ids[0]))["changed"] is True
    shown = site.run("expire", policy, "production", "--dry-run", "--now", NOW.isoformat()).stdout.decode()
    assert f"keeps base backup {ids[0]}: held" in shown
    assert f"would delete base backup {ids[1]}" in shown
    assert "can be recovered before: " in shown and "can be recovered after: " in shown
    assert b"base backup" in site.run("hold", "remove", policy, "production", str(ids[0])).stdout
    found = site.json("expire", policy, "production", "--now", NOW.isoformat())
    assert found["wal"]["deleted_segments"] == 28
    assert found["wal"]["window_before"][0]["from"] < found["wal"]["window_after"][0]["from"]
    assert [each["id"] for each in found["base_backups"]["deleted"]] == [str(ids[1]), str(ids[0])]
    missing = site.run("hold", "add", policy, "production", str(ids[0]), expect=1)
    assert b"pitr window" in missing.stderr


def test_locked_wal_stays_with_all_behind_it(make_site: MakeSite, seaweed: SeaweedFS, lock_bucket: RawBucket) -> None:
    """A locked segment ends the deletion of its timeline; a locked incremental keeps what it builds on."""
    url = f"s3://{lock_bucket.name}/wal"
    site = make_site("postgresql://nobody@127.0.0.1:1/none", store_url=url, store_conn=seaweed.connection_json())
    _policy(site, base="1d", wal="1d")
    environment = site.environment()
    maker = AgedWal(environment)
    maker.segments(1, 6, NOW, HOUR)
    full = maker.base(1, NOW - 9 * DAY)
    child = maker.base(2, NOW - 8 * DAY, parents=(full,))
    other = maker.base(3, NOW - 7 * DAY)
    newest = maker.base(6, NOW)
    until = datetime.now(UTC) + timedelta(days=2)
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": until}

    def lock(key: str) -> None:
        lock_bucket.put_object_retention(Key=f"wal/{key}", Retention=retention, BypassGovernanceRetention=True)

    lock(environment.keys.base_backup(child, keys.MANIFEST))
    for is_dry in (True, False):
        report = expire(environment, now=NOW + 30 * DAY, dry_run=is_dry)
        assert [deletion.id for deletion in report.base_backups.deleted] == [str(other)]
        assert "locked until" in {each.id: each.reason for each in report.base_backups.kept}[child]
    assert _bases(environment) == [full, child, newest]
    environment.store.delete(environment.keys.base_backup(child, keys.MANIFEST))
    for name_of in (keys.SIGNATURE, keys.BASE_TAR):
        environment.store.delete(environment.keys.base_backup(child, name_of))
    lock(environment.keys.wal_piece(maker.system, 1, name(3)))
    report = expire(environment, now=NOW + 30 * DAY)
    assert maker.names() == [name(number) for number in range(3, 7)]
    assert "locked until" in report.wal.left[0]
