"""The catalog reads a store as it is: signed, forged, half-written, or damaged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from holdfast.catalog import Catalog, read_signed, write_signed
from holdfast.catalog.listing import summaries
from holdfast.crypto.signing import Signer
from holdfast.errors import IntegrityError, ObjectMissing, SignatureError
from holdfast.storage.local import LocalStore
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import EnvironmentKeys
from point_factory import make_manifest, store_point

KEYS = EnvironmentKeys("shop", "production")
START = datetime(2026, 11, 1, 2, tzinfo=UTC)


@pytest.fixture
def signer() -> Signer:
    return Signer.generate()


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    yield Catalog(LocalStore(tmp_path), KEYS)


def test_points_are_listed_oldest_first(catalog: Catalog, signer: Signer) -> None:
    """Order comes from the ids; sizes and rows from the manifests."""
    ids = [store_point(catalog, signer, START + timedelta(days=day)) for day in (3, 1, 2)]
    found = summaries(catalog)
    assert [summary.id for summary in found] == sorted(map(str, ids))
    assert all(summary.rows == 42 and not summary.faults for summary in found)


def test_point_without_manifest_does_not_exist(catalog: Catalog, signer: Signer) -> None:
    """Artifacts alone are no restore point."""
    id = store_point(catalog, signer, START)
    catalog.store.delete(KEYS.manifest(id))
    assert summaries(catalog) == []
    with pytest.raises(ObjectMissing, match=str(id)):
        catalog.manifest(id, signer.verifier())


def test_forged_manifest_is_refused(catalog: Catalog, signer: Signer) -> None:
    """Who can write to the store, but not sign, cannot make a restore point that is trusted."""
    id = store_point(catalog, Signer.generate(), START)
    with pytest.raises(SignatureError, match=r"manifest\.json"):
        catalog.manifest(id, signer.verifier())
    catalog.store.delete(KEYS.signature(id))
    with pytest.raises(SignatureError, match="is missing"):
        catalog.manifest(id, signer.verifier())


def test_manifest_of_another_place_is_refused(catalog: Catalog, signer: Signer) -> None:
    """A sound, signed manifest that was copied to another id is not that restore point."""
    id = store_point(catalog, signer, START)
    other = RestorePointId.make(START + timedelta(days=1), "nightly", "copy")
    catalog.store.put(KEYS.manifest(other), [catalog.store.get(KEYS.manifest(id))])
    catalog.store.put(KEYS.signature(other), [catalog.store.get(KEYS.signature(id))])
    with pytest.raises(IntegrityError, match="it is the manifest of"):
        catalog.manifest(other, signer.verifier())


def test_lost_and_cut_artifacts_are_seen_in_the_list(catalog: Catalog, signer: Signer) -> None:
    """An artifact deleted, or replaced by one of another size, behind the catalog shows up at once."""
    id = store_point(catalog, signer, START)
    key = KEYS.artifact(id, "database.dump.age")
    catalog.store.delete(key)
    assert summaries(catalog)[0].faults == ("database.dump.age is missing",)
    catalog.store.put(key, [b"short"])
    assert summaries(catalog)[0].faults == ("database.dump.age has 5 bytes instead of 64",)


def test_broken_manifest_is_listed_with_its_fault(catalog: Catalog, signer: Signer) -> None:
    """One unreadable manifest hides no other restore point."""
    good = store_point(catalog, signer, START)
    bad = RestorePointId.make(START + timedelta(days=1), "nightly", "bad")
    catalog.store.put(KEYS.manifest(bad), [b"{"])
    found = summaries(catalog)
    assert [summary.id for summary in found] == [str(good), str(bad)]
    assert "malformed" in found[1].faults[0]


def test_signing_again_converges(catalog: Catalog, signer: Signer) -> None:
    """A killed attempt may leave the signature alone; other bytes never replace a document that stands."""
    store = catalog.store
    store.put("a.sig", [signer.sign(b"an older attempt")])
    write_signed(store, "a.json", "a.sig", b"document", signer)
    write_signed(store, "a.json", "a.sig", b"document", signer)
    assert read_signed(store, "a.json", "a.sig", signer.verifier()) == b"document"
    with pytest.raises(IntegrityError, match=r"a\.json"):
        write_signed(store, "a.json", "a.sig", b"another", signer)
    assert read_signed(store, "a.json", "a.sig", signer.verifier()) == b"document"


def test_strange_objects_are_ignored(catalog: Catalog, signer: Signer) -> None:
    """What somebody else put into the folder is neither listed nor in the way."""
    catalog.store.put(KEYS.restore_points + "README.txt", [b"x"])
    catalog.store.put(KEYS.restore_points + "not-an-id/manifest.json", [b"x"])
    id = store_point(catalog, signer, START)
    assert [entry.id for entry in catalog.entries()] == [id]


def test_manifest_survives_its_own_encoding() -> None:
    """What is written is read as the same manifest."""
    manifest = make_manifest(RestorePointId.make(START, "nightly", "x"))
    assert type(manifest).model_validate_json(manifest.encode()) == manifest
