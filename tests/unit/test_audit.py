"""The audit trail is one chain, whoever appends to it and whatever kills them, and no change to it stays unseen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from failing_store import FailingStore
from fix_environment import MakeSite, Site
from holdfast.audit import Act, Anchor, advance, append, append_if_possible, read_trail, verify_trail
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.errors import StoreError, UsageError
from holdfast.storage.local import LocalStore
from holdfast.values.actor import Actor
from holdfast.values.keys import EnvironmentKeys

START = datetime(2026, 11, 22, 2, tzinfo=UTC)
ACT = Act("held", "20261122T020000Z-nightly-4f9c2a", {"reason": "a lawsuit"})
MakeStore = Callable[[], Environment]


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def environment(site: Site) -> Environment:
    return replace(site.environment(), clock=lambda: START, actor=Actor("dora"))


@pytest.fixture
def fresh(environment: Environment, tmp_path: Path) -> MakeStore:
    """The same environment with an empty store, for each example of a property."""
    return lambda: replace(environment, store=LocalStore(Path(mkdtemp(dir=tmp_path))))


def _at(environment: Environment, moment: datetime) -> Environment:
    return replace(environment, clock=lambda: moment)


def _without_key(environment: Environment) -> Environment:
    """As on the laptop of an admin, who has no signing key."""
    keys = environment.policy.keys.model_copy(update={"signing_key_file": None})
    return replace(environment, policy=environment.policy.model_copy(update={"keys": keys}))


def _files(environment: Environment) -> list[Path]:
    """The records' files, the oldest first."""
    root = Path(environment.store.url.removeprefix("file://")) / environment.keys.audit
    return sorted(root.rglob("*.json"), key=lambda path: path.name)


def _append(environment: Environment, count: int, *, start: int = 0) -> Anchor:
    found = [append(environment, replace(ACT, subject=f"point {number}")) for number in range(start, start + count)]
    return found[-1]


def test_a_record_says_who_did_what_and_follows_the_one_before(environment: Environment) -> None:
    """Every field of it, as it stands in the store."""
    first = append(replace(environment, actor=Actor("dora", "airflow", "shop-production.expire/manual", START)), ACT)
    append(environment, Act("released", ACT.subject, who="emil"))
    one, two = (entry for entry in read_trail(environment))
    assert one.record is not None and two.record is not None
    assert (one.record.who, one.record.via, one.record.run) == ("dora", "airflow", "shop-production.expire/manual")
    assert (one.record.action, one.record.subject, one.record.details) == ("held", ACT.subject, ACT.details)
    assert (one.record.previous, one.record.at, one.signed) == ("", START, "signed")
    assert (two.record.number, two.record.previous, two.record.who) == (2, first.sha256, "emil")
    assert [path.parent.name for path in _files(environment)] == ["0000-00", "2026-11"]


def test_an_act_that_was_recorded_is_not_recorded_again(environment: Environment) -> None:
    """A task that runs again finds its own record, also behind those of others; a later act of that name is new."""
    mine = replace(ACT, once="run 7 held", since=START)
    first = append(environment, mine)
    _append(environment, 3)
    assert append(environment, mine) == first
    assert verify_trail(environment).records == 4
    later = _at(environment, START + timedelta(days=2))
    assert append(later, replace(mine, since=START + timedelta(days=2))).number == 5


@pytest.mark.parametrize("jump", [timedelta(days=-4000), timedelta(days=-400_000), timedelta(days=40000)])
def test_a_clock_that_jumps_breaks_no_chain(environment: Environment, jump: timedelta) -> None:
    """Neither back nor forth, nor back again: the next record is found, and follows."""
    _append(environment, 3)
    _append(_at(environment, START + jump), 3)
    _append(environment, 2)
    report = verify_trail(environment)
    assert (report.records, report.problems) == (8, ())
    assert [entry.number for entry in read_trail(environment)] == list(range(1, 9))


def test_two_who_write_around_midnight_meet_at_one_key(environment: Environment) -> None:
    """Neither month's folder is a place of its own for the next number."""
    before, after = (_at(environment, START + timedelta(days=days)) for days in (8, 10))
    assert (before.clock().month, after.clock().month) == (11, 12)
    for number in range(6):
        append(after if number % 2 else before, replace(ACT, subject=str(number)))
    report = verify_trail(environment)
    assert (report.records, report.problems) == (6, ())


def test_two_environments_in_one_store_do_not_mix(environment: Environment) -> None:
    """Each has numbers of its own; a record of one is found where it was copied to the other."""
    other = replace(environment, name="staging", keys=EnvironmentKeys("shop", "staging"))
    _append(environment, 3)
    _append(other, 2)
    assert (verify_trail(environment).records, verify_trail(other).records) == (3, 2)
    last = _files(environment)[-1]
    place = Path(environment.store.url.removeprefix("file://")) / other.keys.audit / last.parent.name
    for path in last.parent.glob(f"{last.stem}.*"):
        (place / path.name).write_bytes(path.read_bytes())
    found = verify_trail(other).problems
    assert {problem.kind for problem in found} >= {"foreign"}
    assert "number 3 of shop/production" in found[0].text
    assert verify_trail(environment).is_whole


def test_a_host_without_the_signing_key_records_unsigned(environment: Environment) -> None:
    """That is counted and no fault; a signed record behind it seals it."""
    _append(environment, 2)
    _append(_without_key(environment), 2)
    report = verify_trail(environment)
    assert (report.problems, report.records, report.unsigned, report.unsealed) == ((), 4, 2, 2)
    assert [entry.signed for entry in read_trail(environment)] == ["signed", "signed", "unsigned", "unsigned"]
    _append(environment, 1)
    report = verify_trail(environment)
    assert (report.problems, report.unsigned, report.unsealed) == ((), 2, 0)


def test_taking_a_signature_away_does_not_make_a_record_unsigned(environment: Environment) -> None:
    """A record says itself which key signed it."""
    _append(environment, 2)
    for path in _files(environment)[-1].parent.glob("*.sig"):
        path.unlink()
    assert [problem.kind for problem in verify_trail(environment).problems] == ["altered"]


class _History:
    """What happened to a trail whose last record somebody noted down."""

    def __init__(self, environment: Environment, rest: st.DataObject) -> None:
        self.environment = environment
        self.draw = rest.draw
        self.files = _files(environment)

    def _one(self) -> Path:
        return self.draw(st.sampled_from(self.files))

    def removed(self) -> None:
        """One record is gone, with its signature or without."""
        path = self._one()
        if self.draw(st.booleans()):
            for signature in path.parent.glob(f"{path.stem}.*.sig"):
                signature.unlink()
        path.unlink()

    def altered(self) -> None:
        """One byte of one record is another."""
        path = self._one()
        content = bytearray(path.read_bytes())
        content[self.draw(st.integers(0, len(content) - 1))] ^= self.draw(st.integers(1, 255))
        path.write_bytes(bytes(content))

    def swapped(self) -> None:
        """Two records have changed places, each with what belongs to it."""
        pairs = st.lists(st.sampled_from(self.files), min_size=2, max_size=2, unique=True)
        one, two = self.draw(pairs)
        first, second = one.read_bytes(), two.read_bytes()
        one.write_bytes(second)
        two.write_bytes(first)

    def signed_by_another(self) -> None:
        """One record tells another story, and somebody else's key has signed that."""
        self._retell(self._one(), Signer.generate())

    def rewritten_unsigned(self) -> None:
        """One record and all that follow were made anew, as by a host without a key."""
        start = self.draw(st.integers(0, len(self.files) - 1))
        before = ""
        for number, path in enumerate(self.files):
            if number >= start:
                record = json.loads(path.read_bytes()) | {"who": "mallory", "signed_by": None}
                record["previous"] = before or record["previous"]
                path.write_bytes(json.dumps(record).encode())
            before = self._digest(path)

    def cut_off(self) -> None:
        """The newest records are gone, with their signatures."""
        count = self.draw(st.integers(1, len(self.files)))
        for path in self.files[-count:]:
            for signature in path.parent.glob(f"{path.stem}.*.sig"):
                signature.unlink()
            path.unlink()

    def cut_off_and_gone_on(self) -> None:
        """The same, and others have appended since."""
        self.cut_off()
        _append(self.environment, self.draw(st.integers(1, 4)), start=100)

    def _retell(self, path: Path, signer: Signer) -> None:
        record = json.loads(path.read_bytes()) | {"who": "mallory"}
        path.write_bytes(json.dumps(record).encode())
        signature = path.with_name(f"{path.stem}.{self._digest(path)[:16]}.sig")
        signature.write_bytes(signer.sign(path.read_bytes()))

    @staticmethod
    def _digest(path: Path) -> str:
        return hashlib.sha256(path.read_bytes()).hexdigest()


DEEDS = [name for name in vars(_History) if not name.startswith("_")]


@pytest.mark.parametrize("deed", DEEDS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rest=st.data())
def test_whatever_was_done_to_the_trail_is_found(fresh: MakeStore, deed: str, rest: st.DataObject) -> None:
    """With the last record's number and hash, as somebody noted them."""
    environment = fresh()
    hosts = {"signing": environment, "laptop": _without_key(environment)}
    anchor = None
    for host in rest.draw(st.lists(st.sampled_from(sorted(hosts)), min_size=2, max_size=7)):
        day = rest.draw(st.integers(-40, 40))
        anchor = append(_at(hosts[host], START + timedelta(days=day)), ACT)
    assert anchor is not None
    assert verify_trail(environment, anchor).is_whole
    getattr(_History(environment, rest), deed)()
    report = verify_trail(environment, anchor)
    assert not report.is_whole
    assert all(problem.text for problem in report.problems)


def _calls(environment: Environment, anchor: Anchor | None) -> tuple[list[tuple[str, str]], Anchor | None, str | None]:
    store = FailingStore(environment.store)
    found, trouble = advance(replace(environment, store=store), anchor)
    return store.calls, found, trouble


def test_going_on_from_an_anchor_costs_what_is_new(environment: Environment) -> None:
    """Four calls where nothing is, however long the trail; two more for each new record."""
    none, nothing, trouble = _calls(environment, None)
    assert (nothing, trouble) == (None, None) and len(none) == 1
    head = _append(environment, 12)
    _, anchor, trouble = _calls(environment, None)
    assert (anchor, trouble) == (head, None)
    calls, again, trouble = _calls(environment, anchor)
    assert (again, trouble, len(calls)) == (anchor, None, 4)
    head = _append(_at(environment, START + timedelta(days=40)), 3)
    calls, anchor, trouble = _calls(environment, anchor)
    assert (anchor, trouble) == (head, None)
    assert len([call for call in calls if call[0] == "get"]) == 8


def test_going_on_from_an_anchor_finds_what_is_wrong_behind_it(environment: Environment) -> None:
    """And tells it again, until people have looked."""
    anchor = _append(environment, 2)
    _append(environment, 3)
    _files(environment)[3].write_bytes(b"{}")
    for _ in range(2):
        found, trouble = advance(environment, anchor)
        assert found == anchor
        assert trouble is not None and "0000000004.json: is no audit record" in trouble


def test_going_on_from_an_anchor_finds_the_end_cut_off(environment: Environment) -> None:
    """Also where others have appended since, and where nothing at all is left."""
    anchor = _append(environment, 4)
    for path in _files(environment)[2:]:
        path.unlink()
    assert "record 4 was noted down, and is not there any more" in (advance(environment, anchor)[1] or "")
    _append(environment, 3)
    assert "record 4 is not the one that was noted down" in (advance(environment, anchor)[1] or "")
    for path in _files(environment):
        path.unlink()
    assert "record 4 was noted down" in (advance(environment, anchor)[1] or "")


@pytest.mark.parametrize("moment", ["before", "amid", "after"])
def test_whatever_call_of_the_store_fails_the_next_append_converges(fresh: MakeStore, moment: str) -> None:
    """One chain, without a gap, with what was cut off recorded once at most."""
    environment = fresh()
    _append(environment, 2)
    counting = FailingStore(environment.store)
    append(replace(environment, store=counting), ACT)
    assert len(counting.calls) >= 4
    for fail_at in range(1, len(counting.calls) + 1):
        failing = FailingStore(environment.store, fail_at=fail_at, moment=moment)  # type: ignore[arg-type]
        once = replace(ACT, once=f"{moment} {fail_at}", since=START)
        with pytest.raises(StoreError):
            append(replace(environment, store=failing), once)
        append(environment, once)
    report = verify_trail(environment)
    assert report.problems == ()
    assert report.records == 3 + len(counting.calls)


def test_what_only_reads_goes_on_where_nothing_can_be_recorded(environment: Environment) -> None:
    """After a disaster a store may be there to read only: whoever restores is told, not stopped."""
    failing = replace(environment, store=FailingStore(environment.store, fail_at=1))
    assert "the audit trail does not tell of this" in (append_if_possible(failing, ACT) or "")
    assert append_if_possible(environment, ACT) is None


def test_strangers_are_named(environment: Environment) -> None:
    """Objects and folders that are none of the trail's."""
    _append(environment, 2)
    environment.store.put(f"{environment.keys.audit}2026-11/notes.txt", [b"x"])
    environment.store.put(f"{environment.keys.audit}old/0000000001.json", [b"x"])
    texts = [problem.text for problem in verify_trail(environment).problems]
    assert len(texts) == 2
    assert any("notes.txt" in text for text in texts) and any("audit/old/" in text for text in texts)
    assert _append(environment, 1).number == 3


def test_two_records_of_one_number_are_a_fork(environment: Environment) -> None:
    """One who may write to the store has put a second one into another month."""
    _append(environment, 3)
    last = _files(environment)[-1]
    environment.store.put(f"{environment.keys.audit}2027-01/{last.name}", [last.read_bytes()])
    assert "forked" in {problem.kind for problem in verify_trail(environment).problems}


def test_a_lone_signature_of_the_next_record_is_no_fault(environment: Environment) -> None:
    """A kill leaves it; one of a later record shows that records were removed."""
    _append(environment, 2)
    audit = f"{environment.keys.audit}2026-11/"
    environment.store.put(f"{audit}0000000003.{'0' * 16}.sig", [b"x" * 64])
    assert verify_trail(environment).is_whole
    environment.store.put(f"{audit}0000000005.{'0' * 16}.sig", [b"x" * 64])
    assert [problem.kind for problem in verify_trail(environment).problems] == ["removed"]
    assert _append(environment, 1).number == 3


@pytest.mark.parametrize("text", ["", "7", "7:abc", "0:" + "0" * 64, "x:" + "0" * 64, "1:" + "g" * 64])
def test_anchors_that_are_none_are_refused(text: str) -> None:
    """What is noted down is read back; anything else says what form it needs."""
    anchor = Anchor(7, "ab" * 32)
    assert Anchor.parse(f" {anchor} ") == anchor
    with pytest.raises(UsageError, match="NUMBER:SHA256"):
        Anchor.parse(text)
