"""Evidence is written whole, signed, once; and nobody without the key can put other evidence in its place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_factory import OPENED_AT, POINT, drill_id, failed_evidence, make_closing, make_evidence
from failing_store import FailingStore
from fix_environment import MakeSite, Site
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, ObjectMissing, SignatureError, StoreError
from holdfast.evidence import (
    list_evidence,
    read_closing,
    read_evidence,
    read_report,
    verify_evidence,
    write_closing,
    write_evidence,
)
from holdfast.manifest.evidence import Evidence
from holdfast.storage.local import LocalStore
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import EnvironmentKeys

ID = drill_id()
WRITTEN = ("evidence.json", "evidence.sig", "report.html", "report.sig")
CLOSED = ("closing.json", "closing.sig", "report-closed.html", "report-closed.sig")


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def environment(site: Site) -> Environment:
    return site.environment()


@pytest.fixture
def folder(site: Site) -> Path:
    """Where the evidence of ``ID`` lies."""
    return site.store_folder / "shop/production/evidence" / str(ID)


def write_all(environment: Environment) -> Evidence:
    """Evidence and the closing that two people have agreed to."""
    evidence = make_evidence(ID)
    write_evidence(environment, evidence)
    write_closing(environment, make_closing(evidence, "dora.dba", "tina.lead"), evidence)
    return evidence


def put_over(environment: Environment, name: str, content: bytes) -> None:
    """Replace an object, as one who may write to the store could."""
    key = environment.keys.evidence_object(ID, name)
    environment.store.delete(key)
    environment.store.put(key, [content])


def get(environment: Environment, name: str) -> bytes:
    return environment.store.get(environment.keys.evidence_object(ID, name))


def test_evidence_is_read_back_as_written(environment: Environment, folder: Path) -> None:
    """Evidence, closing and reports stand in the store, each signed, and nothing else does."""
    evidence = make_evidence(ID)
    assert write_evidence(environment, evidence) == f"shop/production/evidence/{ID}/evidence.json"
    assert read_evidence(environment, ID) == evidence
    assert read_closing(environment, ID) is None
    assert sorted(path.name for path in folder.iterdir()) == sorted(WRITTEN)
    closing = make_closing(evidence, "dora.dba")
    write_closing(environment, closing, evidence)
    assert read_closing(environment, ID) == closing
    assert sorted(path.name for path in folder.iterdir()) == sorted((*WRITTEN, *CLOSED))
    assert verify_evidence(environment, ID) == []
    assert b"dora.dba" in read_report(environment, ID)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(exclude_categories=("Cs",))), st.floats(0, 1e6), st.none() | st.integers(0, 2**62))
def test_any_evidence_survives_the_store(
    environment: Environment, tmp_path: Path, text: str, seconds: float, rows: int | None
) -> None:
    """Whatever stands in its fields, the bytes that are signed are the bytes that are read."""
    empty = replace(environment, store=LocalStore(Path(mkdtemp(dir=tmp_path))))
    table = {"table": text, "expected": rows, "found": rows}
    evidence = make_evidence(ID, reason=text, requested_by=text, restore_seconds=seconds, tables=(table,))
    write_evidence(empty, evidence)
    assert read_evidence(empty, ID) == evidence
    assert verify_evidence(empty, ID) == []


def test_writing_again_changes_nothing(environment: Environment) -> None:
    """The same again is no error; other evidence under the same id is, and the first stays."""
    evidence = write_all(environment)
    write_all(environment)
    with pytest.raises(IntegrityError, match="another document"):
        write_evidence(environment, make_evidence(ID, reason="other"))
    with pytest.raises(IntegrityError, match="another document"):
        write_closing(environment, make_closing(evidence, "eve"), evidence)
    assert verify_evidence(environment, ID) == []


@pytest.mark.parametrize("moment", ["before", "amid", "after"])
def test_death_between_any_two_calls_converges(environment: Environment, tmp_path: Path, moment: str) -> None:
    """Wherever the writer dies, doing it again completes the evidence, and nothing unsigned ever stood."""
    for call in range(1, 200):
        inner = LocalStore(Path(mkdtemp(dir=tmp_path)))
        failing = FailingStore(inner, fail_at=call, moment=moment)  # type: ignore[arg-type]
        sound = replace(environment, store=inner)
        try:
            write_all(replace(environment, store=failing))
        except StoreError:
            names = {stored.key.rpartition("/")[2] for stored in inner.list(environment.keys.evidence)}
            assert all(name.rpartition(".")[0] + ".sig" in names for name in names)
        if not failing.has_failed:
            return
        write_all(sound)
        assert verify_evidence(sound, ID) == []
    pytest.fail("it never came to an end")


def test_closing_must_be_of_this_evidence(environment: Environment) -> None:
    """A closing of other evidence is refused before anything is written."""
    evidence = make_evidence(ID)
    write_evidence(environment, evidence)
    with pytest.raises(IntegrityError, match="does not close"):
        write_closing(environment, make_closing(make_evidence(ID, reason="other"), "dora.dba"), evidence)
    assert read_closing(environment, ID) is None


def test_missing_evidence_is_named(environment: Environment) -> None:
    """What is not there is said so, with where to look."""
    for act in (read_evidence, verify_evidence):
        with pytest.raises(ObjectMissing, match=str(ID)):
            act(environment, ID)


Tamper = Callable[[Environment], None]


def _flip(name: str) -> Tamper:
    def flip(environment: Environment) -> None:
        content = bytearray(get(environment, name))
        content[len(content) // 2] ^= 1
        put_over(environment, name, bytes(content))

    return flip


def _truncate(name: str) -> Tamper:
    return lambda environment: put_over(environment, name, get(environment, name)[:-5])


def _remove(name: str) -> Tamper:
    return lambda environment: environment.store.delete(environment.keys.evidence_object(ID, name))


@pytest.mark.parametrize("name", [*WRITTEN, *CLOSED])
@pytest.mark.parametrize("tamper", [_flip, _truncate, _remove])
def test_any_touched_object_is_found(environment: Environment, name: str, tamper: Callable[[str], Tamper]) -> None:
    """A flipped bit, a lost end, or a removed object: the fault names the object or its signature."""
    write_all(environment)
    tamper(name)(environment)
    faults = verify_evidence(environment, ID)
    assert len(faults) == 1
    assert f"{ID}/{name.rpartition('.')[0]}." in faults[0]


def test_forged_evidence_is_refused(environment: Environment) -> None:
    """Made with another key: it verifies nowhere."""
    write_all(environment)
    forged = make_evidence(ID, reason="forged").encode()
    put_over(environment, "evidence.json", forged)
    put_over(environment, "evidence.sig", Signer.generate().sign(forged))
    with pytest.raises(SignatureError, match=r"evidence\.json"):
        read_evidence(environment, ID)
    assert "signature" in verify_evidence(environment, ID)[0]
    assert list_evidence(environment)[0].verdict is None


def test_copied_evidence_is_refused(environment: Environment) -> None:
    """Sound evidence of another drill, or of another environment, proves nothing here."""
    write_all(environment)
    other = drill_id("other")
    write_evidence(environment, make_evidence(other))
    for name in WRITTEN:
        put_over(environment, name, environment.store.get(environment.keys.evidence_object(other, name)))
    assert str(other) in verify_evidence(environment, ID)[0]
    staging = replace(environment, name="staging", keys=EnvironmentKeys("shop", "staging"))
    write_evidence(staging, make_evidence(ID, environment="staging"))
    for name in WRITTEN:
        put_over(environment, name, staging.store.get(staging.keys.evidence_object(ID, name)))
    with pytest.raises(IntegrityError, match="shop/staging"):
        read_evidence(environment, ID)
    assert "shop/staging" in verify_evidence(environment, ID)[0]


@pytest.mark.parametrize(("name", "beside"), [("report", "report-closed"), ("report-closed", "report")])
def test_swapped_reports_are_found(environment: Environment, name: str, beside: str) -> None:
    """A signed report in the place of another is one of other evidence."""
    write_all(environment)
    for ending in (".html", ".sig"):
        put_over(environment, name + ending, get(environment, beside + ending))
    faults = verify_evidence(environment, ID)
    assert faults == [f"shop/production/evidence/{ID}/{name}.html: it shows other evidence than the one beside it"]


def test_closing_of_another_drill_is_found(environment: Environment) -> None:
    """An approval cannot be carried over to evidence that nobody has read."""
    evidence = make_evidence(ID)
    write_evidence(environment, evidence)
    other = make_evidence(drill_id("other"))
    write_evidence(environment, other)
    write_closing(environment, make_closing(other, "dora.dba"), other)
    for name in CLOSED:
        content = environment.store.get(environment.keys.evidence_object(drill_id("other"), name))
        environment.store.put(environment.keys.evidence_object(ID, name), [content])
    with pytest.raises(IntegrityError, match="closing"):
        read_closing(environment, ID)
    assert "it is the closing of" in verify_evidence(environment, ID)[0]
    assert list_evidence(environment)[0].approval == "unknown"


def test_impossible_approvals_are_found(environment: Environment) -> None:
    """Nobody approves what they requested, and nobody twice, whoever signed it."""
    evidence = make_evidence(ID)
    write_evidence(environment, evidence)
    write_closing(environment, make_closing(evidence, "Otto.OnCall", "otto.oncall"), evidence)
    said = " ".join(verify_evidence(environment, ID))
    assert "approved twice" in said
    assert "requested themselves" in said


def test_unapproved_closing_is_found(environment: Environment) -> None:
    """A drill that was to be approved is not closed by nobody."""
    evidence = make_evidence(ID)
    write_evidence(environment, evidence)
    write_closing(environment, make_closing(evidence), evidence)
    assert "nobody has approved" in verify_evidence(environment, ID)[0]


def test_replaced_restore_point_is_found(environment: Environment) -> None:
    """The restore point that stands must be the one that was restored; one that has expired is no fault."""
    write_evidence(environment, make_evidence(ID))
    assert verify_evidence(environment, ID) == []
    environment.store.put(environment.keys.manifest(POINT), [b"manifest"])
    assert verify_evidence(environment, ID) == []
    environment.store.delete(environment.keys.manifest(POINT))
    environment.store.put(environment.keys.manifest(POINT), [b"another"])
    assert str(POINT) in verify_evidence(environment, ID)[0]


def test_listing_tells_verdict_and_approval(environment: Environment) -> None:
    """Oldest first: a check that nobody is asked about, drills that passed, failed, wait, and are approved."""
    ids = [
        drill_id(str(number), kind="restore_check" if number == 0 else "restore_drill", opened_at=at)
        for number, at in enumerate(OPENED_AT + timedelta(days=day) for day in range(4))
    ]
    approved = make_evidence(ids[3])
    for evidence in (make_evidence(ids[0]), failed_evidence(ids[1]), make_evidence(ids[2]), approved):
        write_evidence(environment, evidence)
    write_closing(environment, make_closing(approved, "dora.dba"), approved)
    found = list_evidence(environment)
    assert [entry.id for entry in found] == list(map(str, ids))
    assert [entry.approval for entry in found] == ["not asked", "not reached", "waiting", "given"]
    assert [entry.verdict for entry in found] == ["passed", "failed", "passed", "passed"]
    assert found[3].approvers == ("dora.dba",)
    assert found[1].findings == 3


def test_strangers_do_not_break_listing(environment: Environment, site: Site) -> None:
    """Whatever else lies in the prefix: it is not evidence; a running drill's drafts are none yet."""
    write_all(environment)
    store, prefix = environment.store, environment.keys.evidence
    running = drill_id("running")
    nightly = RestorePointId.make(OPENED_AT, "nightly", "no drill")
    for key in ("note.txt", "folder/evidence.json", f"{running}/draft-x.json", f"{nightly}/evidence.json"):
        store.put(prefix + key, [b"\x00\xff"])
    broken = drill_id("broken")
    store.put(f"{prefix}{broken}/evidence.json", [b"\xff{"])
    store.put(f"{prefix}{broken}/evidence.sig", [b"short"])
    found = {entry.id: entry for entry in list_evidence(environment)}
    assert found.keys() == {str(ID), str(broken)}
    assert found[str(ID)].faults == ()
    assert "evidence.json" in found[str(broken)].faults[0]


def test_removed_evidence_leaves_a_trace(environment: Environment) -> None:
    """Who removes the evidence of a failed drill, but not all of it, is seen in the list."""
    write_evidence(environment, failed_evidence(ID))
    environment.store.delete(environment.keys.evidence_object(ID, "evidence.json"))
    assert "not found" in list_evidence(environment)[0].faults[0]
    assert "is missing" in verify_evidence(environment, ID)[0]


def test_monstrous_object_is_not_read(environment: Environment, folder: Path) -> None:
    """A stranger's object of a gigabyte is refused by its size."""
    folder.mkdir(parents=True)
    with (folder / "evidence.json").open("wb") as file:
        file.truncate(1 << 30)
    assert "no evidence is" in list_evidence(environment)[0].faults[0]
    assert "no evidence is" in verify_evidence(environment, ID)[0]
