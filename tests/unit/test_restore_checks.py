"""Records of restore checks: the newest one that was really written decides, and nobody else's is believed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import MakeSite
from holdfast.catalog import Catalog
from holdfast.catalog.listing import summaries
from holdfast.catalog.restore_checks import (
    checks_of,
    genuine_restore_check,
    read_restore_check,
    write_restore_check,
)
from holdfast.crypto.signing import Signer
from holdfast.errors import IntegrityError, ObjectMissing, SignatureError
from holdfast.storage.local import LocalStore
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import EnvironmentKeys
from point_factory import make_check, store_check, store_point

KEYS = EnvironmentKeys("shop", "production")
START = datetime(2026, 1, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def signer() -> Signer:
    return Signer.generate()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield Catalog(LocalStore(tmp_path), KEYS)


@pytest.fixture
def id(catalog: Catalog, signer: Signer) -> RestorePointId:
    return store_point(catalog, signer, START)


def test_newest_record_decides(catalog: Catalog, signer: Signer, id: RestorePointId) -> None:
    """A failed check whose reason was mended is followed by one that passes, and the other way round."""
    assert read_restore_check(catalog, id, signer.verifier()) is None
    for hours, passed in ((1, False), (3, True), (2, False)):
        key = store_check(catalog, signer, id, START + hours * HOUR, passed=passed)
        assert key.startswith(f"{KEYS.restore_point(id)}restore-check-20260101t0")
    check = read_restore_check(catalog, id, signer.verifier())
    assert check == make_check(id, START + 3 * HOUR)
    assert [each.opened_at.hour for each in checks_of(catalog.entry(id))] == [5, 4, 3]
    store_check(catalog, signer, id, START + 4 * HOUR, passed=False)
    found = read_restore_check(catalog, id, signer.verifier())
    assert found is not None
    assert not found.passed


def test_check_of_a_clock_that_was_ahead_is_followed_by_later_ones(
    catalog: Catalog, signer: Signer, id: RestorePointId
) -> None:
    """No record is newer than the moment when the store received it."""
    now = datetime.now(UTC)
    store_check(catalog, signer, id, now + timedelta(days=3650), passed=False)
    store_check(catalog, signer, id, now + timedelta(minutes=5))
    found = read_restore_check(catalog, id, signer.verifier())
    assert found is not None
    assert found.passed


def test_of_two_checks_that_began_together_the_last_to_end_decides(
    catalog: Catalog, signer: Signer, id: RestorePointId
) -> None:
    """Their ids bear the same second."""
    for suffix, minutes, passed in (("000000", 2, True), ("ffffff", 1, False)):
        began = replace(RestorePointId.make(START, "restore_check", "x"), suffix=suffix)
        check = make_check(id, START + timedelta(minutes=minutes), passed=passed)
        write_restore_check(catalog, check.model_copy(update={"check": str(began)}), signer)
    found = read_restore_check(catalog, id, signer.verifier())
    assert found is not None
    assert found.passed


def test_writing_again_converges(catalog: Catalog, signer: Signer, id: RestorePointId) -> None:
    """Killed after the signature, or after the record; another result of the same check is refused."""
    check = make_check(id, START + HOUR)
    key = write_restore_check(catalog, check, signer)
    catalog.store.delete(key)
    assert read_restore_check(catalog, id, signer.verifier()) is None
    assert write_restore_check(catalog, check, signer) == key
    assert write_restore_check(catalog, check, signer) == key
    with pytest.raises(IntegrityError, match="another document"):
        write_restore_check(catalog, check.model_copy(update={"passed": False}), signer)
    assert read_restore_check(catalog, id, signer.verifier()) == check


def test_point_that_expired_meanwhile_gets_no_record(catalog: Catalog, signer: Signer, id: RestorePointId) -> None:
    """Nothing is left below a restore point that is gone."""
    catalog.store.delete(KEYS.manifest(id))
    with pytest.raises(ObjectMissing, match="it is gone"):
        store_check(catalog, signer, id, START + HOUR)
    assert not checks_of(catalog.entry(id))


def _forge(catalog: Catalog, signer: Signer, id: RestorePointId, how: str) -> type[Exception]:
    """Slip in a record, newer than all, that says it passed; returns what reading it raises."""
    key = store_check(catalog, Signer.generate() if how == "foreign" else signer, id, START + 9 * HOUR)
    signature = key.removesuffix(".json") + ".sig"
    if how == "unsigned":
        catalog.store.delete(signature)
    elif how in ("copied", "renamed"):
        # A genuine record of another restore point, or of an older check of this one.
        other = store_point(catalog, signer, START + timedelta(days=1)) if how == "copied" else id
        sound = store_check(catalog, signer, other, START + timedelta(minutes=5))
        for name, source in ((key, sound), (signature, sound.removesuffix(".json") + ".sig")):
            content = catalog.store.get(source)
            catalog.store.delete(name)
            catalog.store.put(name, [content])
        catalog.store.delete(sound)
    elif how == "malformed":
        for name, content in ((key, b"{}"), (signature, signer.sign(b"{}"))):
            catalog.store.delete(name)
            catalog.store.put(name, [content])
    return SignatureError if how in ("foreign", "unsigned") else IntegrityError


@pytest.mark.parametrize("how", ["foreign", "unsigned", "copied", "renamed", "malformed"])
def test_forged_record_proves_nothing(catalog: Catalog, signer: Signer, id: RestorePointId, how: str) -> None:
    """Reading raises, the list calls it broken, and what was written before it is still known."""
    store_check(catalog, signer, id, START + HOUR, passed=False)
    expected = _forge(catalog, signer, id, how)
    with pytest.raises(expected, match=r"restore-check-20260101t110000z-restore_check-[0-9a-f]{6}\.json"):
        read_restore_check(catalog, id, signer.verifier())
    genuine = genuine_restore_check(catalog, catalog.entry(id), signer.verifier())
    assert genuine == (make_check(id, START + HOUR, passed=False), True)
    listed = summaries(catalog, signer.verifier)[0]
    assert listed.restore_check is None
    assert "restore-check-" in listed.faults[0]


def test_list_tells_what_came_of_restoring(catalog: Catalog, signer: Signer) -> None:
    """Only a key to check with makes a record believed; strange names are no records."""
    ids = [store_point(catalog, signer, START + timedelta(days=day)) for day in range(3)]
    store_check(catalog, signer, ids[0], START + HOUR)
    store_check(catalog, signer, ids[1], START + HOUR, passed=False)
    catalog.store.put(KEYS.artifact(ids[2], "restore-check-of-mine.json"), [b"{}"])
    assert [each.restore_check for each in summaries(catalog, signer.verifier)] == ["passed", "failed", None]
    assert [each.restore_check for each in summaries(catalog)] == [None, None, None]
    assert all(not each.faults for each in summaries(catalog, signer.verifier))
    assert summaries(catalog, signer.verifier)[0].as_json()["restore_check"] == "passed"


def test_cli_list_shows_what_was_restored(make_site: MakeSite) -> None:
    """In text and as JSON; without a key on this host nobody is believed, and the list still comes."""
    site = make_site("postgresql://nobody@127.0.0.1:1/none")
    environment = site.environment()
    catalog, signer = environment.catalog, environment.signer()
    ids = [store_point(catalog, signer, START + timedelta(days=day)) for day in range(3)]
    store_check(catalog, signer, ids[0], START + HOUR)
    store_check(catalog, signer, ids[1], START + HOUR, passed=False)
    policy = str(site.policy_file)
    marks = [
        line.partition(" rows")[2].strip()
        for line in site.run("list", policy, "production").stdout.decode().splitlines()
    ]
    assert marks == ["restored", "RESTORE CHECK FAILED", ""]
    listed = site.json("list", policy, "production")["restore_points"]
    assert [point["restore_check"] for point in listed] == ["passed", "failed", None]
    for name in ("signing.pem", "signing.pub"):
        (site.keys / name).unlink()
    listed = site.json("list", policy, "production")["restore_points"]
    assert [(point["restore_check"], point["faults"]) for point in listed] == [(None, [])] * 3
