"""What the watch reads of stored WAL: how fresh, what is missing, what of that still matters, by how few requests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import holdfast.watch.reading.wal_listing as wal_listing
from fix_environment import MakeSite, Site
from holdfast.catalog import WalPiece
from holdfast.catalog.drafts import write_draft
from holdfast.catalog.wal_checks import WalCheckCatalog
from holdfast.catalog.wal_status import WalStatusCatalog
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.manifest.wal import WalCheck
from holdfast.storage.protocol import Store, StoredObject
from holdfast.values.ids import RestorePointId
from holdfast.values.wal_names import WalSegment
from holdfast.watch.facts import WalFacts
from holdfast.watch.reading.wal import read_wal
from statuses import say_status
from wal_factory import SIZE, SYSTEM, WalFactory, minute


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    made = make_site("postgresql://nobody@127.0.0.1:1/none")
    made.edit_policy("{conn_id: shop_db}", "{conn_id: shop_db, pitr: streaming}")
    return made


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


@pytest.fixture
def wal(environment: Environment) -> WalFactory:
    return WalFactory(environment)


def now() -> datetime:
    """Objects of a local store are as old as their files."""
    return datetime.now(UTC)


def look(environment: Environment, known: WalFacts | None = None, at: datetime | None = None) -> WalFacts:
    """What is read; it must pass through the watch's record unchanged."""
    facts = read_wal(environment, at or now(), known)
    assert facts is not None
    assert WalFacts.model_validate_json(facts.model_dump_json()) == facts
    return facts


def lose(environment: Environment, number: int, timeline: int = 1) -> None:
    """Delete a segment."""
    piece = WalPiece.segment(SYSTEM, WalSegment(timeline, number, SIZE).name)
    environment.store.delete(environment.wal_catalog.key(piece))
    environment.store.delete(environment.wal_catalog.record_key(piece))


def test_without_streaming_there_is_nothing_to_read(make_site: MakeSite) -> None:
    """`pitr: none`."""
    assert read_wal(make_site("postgresql://nobody@127.0.0.1:1/none").environment(), now(), None) is None


def test_nothing_stored_yet(environment: Environment) -> None:
    """No cluster is known, which is no error."""
    assert look(environment) == WalFacts(system_identifier=None)


def test_a_caught_up_streamer(environment: Environment, wal: WalFactory) -> None:
    """The healthy twin: fresh, whole, nothing lost."""
    wal.segments(2, 6)
    wal.base(wal.at(2.1), wal.at(2.9))
    # A file's time is that of the kernel's last tick.
    at = now() - timedelta(seconds=1)
    say_status(environment, at, stored=wal.at(7), behind_s=4)
    facts = look(environment)
    assert facts.system_identifier == SYSTEM
    assert facts.status_at == at and facts.caught_up_at == at - timedelta(seconds=4)
    assert (facts.retained_bytes, facts.safe_bytes, facts.behind_bytes) == (7 << 20, 9 << 20, 0)
    assert facts.newest_at is not None and abs(facts.newest_at - at) < timedelta(seconds=5)
    assert (facts.gaps, facts.faults, facts.healed_faults, facts.lost) == ((), (), (), None)


def test_the_last_word_of_a_dead_streamer_grows_old(environment: Environment, wal: WalFactory) -> None:
    """Whatever else is there; the last of several counts, also where it is days old."""
    wal.segments(2, 3)
    old = now() - timedelta(days=3)
    for minutes in range(3):
        said = say_status(environment, old + timedelta(minutes=minutes), stored=wal.at(4))
        stamp = (old + timedelta(minutes=minutes)).timestamp()
        os.utime(_path(environment, said.name), (stamp, stamp))
    assert look(environment).status_at == old + timedelta(minutes=2)


def _path(environment: Environment, name: str) -> Path:
    return Path(environment.store.url.removeprefix("file://")) / environment.keys.wal_status(SYSTEM, name)


def test_a_clock_that_is_ahead_looks_no_more_alive(environment: Environment, wal: WalFactory) -> None:
    """The store's clock tells when a status came, and how far it was behind stays."""
    wal.segments(2, 3)
    say_status(environment, now() + timedelta(hours=5), stored=wal.at(4), behind_s=30)
    facts = look(environment)
    assert facts.status_at is not None and facts.caught_up_at is not None
    assert abs(facts.status_at - now()) < timedelta(seconds=10)
    assert facts.status_at - facts.caught_up_at == timedelta(seconds=30)


def test_a_forged_status_is_told_and_not_believed(environment: Environment, wal: WalFactory, tmp_path: Path) -> None:
    """By another's key; the last one before it counts."""
    from holdfast.crypto.keyfiles import new_keys

    wal.segments(2, 3)
    true = now() - timedelta(minutes=50)
    os.utime(_path(environment, say_status(environment, true, stored=wal.at(4)).name), (true.timestamp(),) * 2)
    new_keys(tmp_path / "forger")
    forged = say_status(environment, now(), stored=wal.at(9), signer=Signer.load(tmp_path / "forger/signing.pem"))
    facts = look(environment)
    assert facts.status_at == true
    assert len(facts.faults) == 1 and forged.name in facts.faults[0]


def test_an_old_status_under_a_new_name_is_not_believed(environment: Environment, wal: WalFactory) -> None:
    """Who may write to the bucket can copy what was signed once: it says its own name."""
    wal.segments(2, 3)
    old = say_status(environment, now() - timedelta(hours=1), stored=wal.at(4))
    document = environment.store.get(environment.keys.wal_status(SYSTEM, old.name))
    copy = "20301122T120000000Z-abcdef.json"
    environment.store.put(environment.keys.wal_status(SYSTEM, copy), [document])
    facts = look(environment)
    assert facts.status_at == old.at
    assert len(facts.faults) == 1 and copy in facts.faults[0]


def test_a_gap_behind_the_newest_base_backup(environment: Environment, wal: WalFactory) -> None:
    """Named with the instants around it; a base backup taken behind it heals it, one before it does not."""
    wal.segments(2, 9)
    wal.base(wal.at(2.1), wal.at(2.9))
    wal.base(wal.at(4.1), wal.at(4.9))
    say_status(environment, now(), stored=wal.at(10))
    assert look(environment).gaps == ()
    lose(environment, 6)
    (gap,) = look(environment).gaps
    assert (gap.first, gap.last, gap.is_healed) == (WalSegment(1, 6, SIZE).name,) * 2 + (False,)
    assert (gap.begins_at, gap.ends_at) == (minute(5.5), minute(7.5))
    wal.base(wal.at(7.1), wal.at(7.9))
    (healed,) = look(environment).gaps
    assert healed == gap.model_copy(update={"is_healed": True})
    # That one cannot be used itself, so that the one before it counts again.
    lose(environment, 7)
    (both,) = look(environment).gaps
    assert (both.first, both.last, both.is_healed) == (gap.first, WalSegment(1, 7, SIZE).name, False)


def test_what_no_base_backup_needs_is_no_gap(environment: Environment, wal: WalFactory) -> None:
    """Expired WAL, and WAL without any base backup."""
    for number in (2, 5, 6, 8, 9):
        wal.segment(number)
    say_status(environment, now(), stored=wal.at(10))
    assert look(environment).gaps == ()
    wal.base(wal.at(8.1), wal.at(8.9))
    assert look(environment).gaps == ()


def test_a_piece_on_its_way_is_no_gap(environment: Environment, wal: WalFactory) -> None:
    """Several are stored side by side: what the streamer does not tell to be stored, it has still to bring."""
    wal.segments(2, 5)
    wal.segment(7)
    wal.base(wal.at(2.1), wal.at(2.9))
    say_status(environment, now(), stored=wal.at(6))
    assert look(environment).gaps == ()
    say_status(environment, now(), stored=wal.at(8))
    assert [gap.is_healed for gap in look(environment).gaps] == [False]


def test_gaps_of_other_timelines(environment: Environment, wal: WalFactory) -> None:
    """After a failover and a base backup on the new timeline, what the old one lacks is past."""
    wal.segments(2, 6)
    wal.base(wal.at(2.1), wal.at(2.9))
    wal.history(2, (1, wal.at(6.5)))
    wal.segments(6, 9, timeline=2)
    say_status(environment, now(), stored=wal.at(10))
    lose(environment, 4)
    assert [gap.is_healed for gap in look(environment).gaps] == [False]
    wal.base(wal.at(7.1), wal.at(7.9), timeline=2)
    assert [gap.is_healed for gap in look(environment).gaps] == [True]


def test_what_the_streamer_lost_counts_until_instants_after_it_can_be_recovered(
    environment: Environment, wal: WalFactory
) -> None:
    """A slot given up that cost nothing is no loss; else a base backup mends it."""
    wal.segments(2, 5)
    wal.base(wal.at(2.1), wal.at(2.9))
    say_status(environment, now(), stored=wal.at(6), lost="the slot was given up", lost_at=minute(4))
    assert look(environment).lost is None
    say_status(environment, now(), stored=wal.at(9), lost="segment 7 is gone", lost_at=minute(7))
    assert look(environment).lost == "segment 7 is gone"
    wal.segments(8, 9)
    wal.base(wal.at(8.1), wal.at(8.9))
    assert look(environment).lost is None


def test_damage_that_a_check_has_found(environment: Environment, wal: WalFactory) -> None:
    """Of what the newest base backup needs, or of what lies before that."""
    wal.segments(2, 9)
    wal.base(wal.at(2.1), wal.at(2.9))
    wal.base(wal.at(6.1), wal.at(6.9))
    say_status(environment, now(), stored=wal.at(10))
    names = [WalSegment(1, number, SIZE).name for number in (4, 8)]
    keys = [environment.wal_catalog.key(WalPiece.segment(SYSTEM, name)) for name in names]
    check = WalCheck(
        id=str(RestorePointId.make(now(), "wal_check", "x")),
        app="shop",
        environment="production",
        system_identifier=SYSTEM,
        checked_at=now(),
        ranges=(),
        faults=tuple(keys),
    )
    WalCheckCatalog(environment.store, environment.keys).write(check, environment.signer())
    facts = look(environment)
    assert len(facts.faults) == 1 and names[1] in facts.faults[0]
    assert len(facts.healed_faults) == 1 and names[0] in facts.healed_faults[0]
    assert [(gap.first, gap.is_healed) for gap in facts.gaps] == [(names[0], True), (names[1], False)]


def test_a_record_that_nobody_of_ours_has_signed_is_told(environment: Environment, wal: WalFactory) -> None:
    """At the end of the window, where it is read."""
    wal.segments(2, 4)
    wal.base(wal.at(2.1), wal.at(2.9))
    say_status(environment, now(), stored=wal.at(5))
    key = environment.wal_catalog.record_key(WalPiece.segment(SYSTEM, WalSegment(1, 4, SIZE).name))
    environment.store.delete(key)
    environment.store.put(key, [b"{}"])
    facts = look(environment)
    assert len(facts.faults) == 1 and key in facts.faults[0]


def test_the_cluster_in_use(site: Site, environment: Environment, wal: WalFactory) -> None:
    """That which the policy names, else that of the newest base backup, else the one that was heard of last."""
    other = WalFactory(environment, system="7430000000000000002")
    wal.segments(2, 3)
    say_status(environment, now(), stored=wal.at(4))
    assert look(environment).system_identifier == SYSTEM
    other.segments(2, 3)
    say_status(environment, now(), stored=wal.at(4), system=other.system)
    assert look(environment).system_identifier == other.system
    wal.base(wal.at(2.1), wal.at(2.9), at=minute(3))
    assert look(environment).system_identifier == SYSTEM
    other.base(wal.at(2.1), wal.at(2.9), at=minute(4))
    facts = look(environment)
    # What the other cluster lacks is none of its own.
    lose(environment, 2)
    assert facts.system_identifier == other.system and look(environment, facts).gaps == ()
    site.edit_policy("pitr: streaming", f'pitr: streaming, system_identifier: "{SYSTEM}"')
    assert look(site.environment(), facts).system_identifier == SYSTEM


@dataclass
class Counting:
    """Passes calls on and notes them; of listings, how many objects each has brought."""

    inner: Store
    calls: list[str] = field(default_factory=list)
    brought: int = 0

    @property
    def url(self) -> str:
        return self.inner.url

    def get(self, key: str) -> bytes:
        self.calls.append(f"get {key}")
        return self.inner.get(key)

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        self.calls.append(f"list {prefix}")
        for stored in self.inner.list(prefix, after=after):
            self.brought += 1
            yield stored

    def __getattr__(self, name: str) -> object:
        self.calls.append(name)
        return getattr(self.inner, name)


def counted(environment: Environment, known: WalFacts | None, at: datetime) -> tuple[WalFacts, Counting]:
    """A look, and what it asked the store for."""
    store = Counting(environment.store)
    return look(replace(environment, store=store), known, at), store  # type: ignore[arg-type]


def test_of_a_long_wal_only_what_is_new_is_listed(
    environment: Environment, wal: WalFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same is found as by looking at all; once a day all is looked at, which finds what went from the middle."""
    monkeypatch.setattr(wal_listing, "FEW_KEYS", 40)
    monkeypatch.setattr(wal_listing, "_OVERLAP", 4)
    wal.history(2, (1, wal.at(10.5)))
    wal.segments(2, 10)
    wal.segments(10, 60, timeline=2)
    wal.base(wal.at(2.1), wal.at(2.9))
    wal.base(wal.at(50.1), wal.at(50.9), timeline=2)
    began = now()
    say_status(environment, began, stored=wal.at(61))
    first, whole = counted(environment, None, began)
    assert first.gaps == () and whole.brought > 120
    assert first.memory is not None and len(first.memory.ranges) == 3
    later = began + timedelta(minutes=15)
    wal.segments(61, 63, timeline=2)
    wal.partial(64, 5000, timeline=2)
    say_status(environment, later, stored=wal.at(64))
    second, part = counted(environment, first, later)
    alone, _ = counted(environment, None, later)
    assert second.model_copy(update={"memory": None}) == alone.model_copy(update={"memory": None})
    assert part.brought < 60 and len(part.calls) < len(whole.calls)
    # What is missing among the new is found at once, by a second look at all.
    wal.segments(66, 68, timeline=2)
    say_status(environment, later, stored=wal.at(69))
    third, _ = counted(environment, second, later)
    assert [gap.first for gap in third.gaps] == [WalSegment(2, 64, SIZE).name]
    wal.segments(64, 65, timeline=2)
    fourth, _ = counted(environment, third, later)
    assert fourth.gaps == ()
    lose(environment, 30, timeline=2)
    fifth, _ = counted(environment, fourth, later + timedelta(minutes=15))
    assert fifth.gaps == ()
    sixth, _ = counted(environment, fifth, later + timedelta(days=1))
    assert [gap.first for gap in sixth.gaps] == [WalSegment(2, 30, SIZE).name]


def test_the_number_of_requests_does_not_grow_with_what_is_stored(environment: Environment, wal: WalFactory) -> None:
    """A listing of a thousand keys is one request; besides those, each look asks for the same few objects."""
    wal.segments(2, 9)
    wal.base(wal.at(2.1), wal.at(2.9))
    say_status(environment, now(), stored=wal.at(10))
    facts = look(environment)
    _, few = counted(environment, facts, now())
    wal.segments(10, 90)
    for number in range(10, 20):
        wal.base(wal.at(number + 0.1), wal.at(number + 0.9))
    say_status(environment, now(), stored=wal.at(91))
    facts = look(environment, facts)
    _, many = counted(environment, facts, now())
    assert len(many.calls) == len(few.calls) <= 12, many.calls


def test_base_backups_are_read_once(environment: Environment, wal: WalFactory) -> None:
    """The watch looks every quarter of an hour; one that is gone is forgotten."""
    wal.segments(2, 9)
    for number in (2, 4, 6):
        wal.base(wal.at(number + 0.1), wal.at(number + 0.9))
    say_status(environment, now(), stored=wal.at(10))
    first = look(environment)
    again, store = counted(environment, first, now())
    assert again.model_copy(update={"memory": None}) == first.model_copy(update={"memory": None})
    assert not [call for call in store.calls if "base-backups" in call and call.startswith("get")]
    oldest = environment.base_catalog.entries()[0]
    for name in oldest.objects:
        environment.store.delete(environment.keys.base_backup(oldest.id, name))
    third = look(environment, again)
    assert third.memory is not None and len(third.memory.bases) == 2


def test_status_names_of_others_are_passed_over(environment: Environment, wal: WalFactory) -> None:
    """Only names of ours are read."""
    wal.segments(2, 3)
    said = say_status(environment, now(), stored=wal.at(4))
    folder = environment.keys.wal_status(SYSTEM, "")
    environment.store.put(f"{folder}notes.txt", [b"x"])
    write_draft(environment.store, f"{folder}zzz.json", said, environment.signer())
    catalog = WalStatusCatalog(environment.store, environment.keys)
    assert catalog.names(SYSTEM) == [said.name]
    assert look(environment).faults == ()
