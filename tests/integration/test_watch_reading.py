"""The watch reads from a real store what it judges by, believes only what is signed, and raises for nothing."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from evidence_factory import make_closing, make_evidence
from failing_store import FailingStore, Moment
from fix_environment import MakeSite, Site
from holdfast.crypto import age
from holdfast.crypto.keyfiles import new_keys
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.evidence.records import write_closing, write_evidence
from holdfast.values.ids import RestorePointId
from holdfast.watch.facts import HISTORY, EnvironmentFacts
from holdfast.watch.reading import read_facts
from point_factory import CONTENT, store_check, store_point

NOW = datetime.now(UTC).replace(microsecond=0)
NIGHT = timedelta(days=1)


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site without a database: nothing here asks one."""
    return make_site("postgresql:///none")


def point(
    environment: Environment, nights: float = 1, tier: str = "nightly", signer: Signer | None = None
) -> RestorePointId:
    """A restore point that was taken so many nights ago."""
    return store_point(
        environment.catalog,
        signer or environment.signer(),
        NOW - nights * NIGHT,
        tier,
        recipients=environment.recipients(),
    )


def folder(site: Site, id: RestorePointId) -> Path:
    return site.store_folder / "shop/production/restore-points" / str(id)


def faults(facts: EnvironmentFacts) -> list[tuple[str, str]]:
    return [(each.id, each.kind) for each in facts.faulty]


def troubles(facts: EnvironmentFacts) -> list[tuple[str, str]]:
    return [(each.kind, each.subject) for each in facts.troubles]


type Calls = list[tuple[str, str]]


def calls_of(environment: Environment, known: EnvironmentFacts | None) -> tuple[EnvironmentFacts, Calls]:
    """The facts, and the calls that reading them took."""
    store = FailingStore(environment.store)
    facts = read_facts(replace(environment, store=store), NOW, known)
    return facts, store.calls


def test_an_empty_store(site: Site) -> None:
    """Nothing was ever there: no trace, and no trouble."""
    facts = read_facts(site.environment(), NOW)
    assert (facts.since, facts.points, facts.counts, facts.faulty, facts.troubles) == (None, (), {}, (), ())


def test_points_of_all_tiers(site: Site) -> None:
    """The newest fifteen of each tier with what their manifests tell; how many there are; the oldest trace."""
    environment = site.environment()
    nights = [point(environment, number) for number in range(1, HISTORY + 4)]
    months = [point(environment, 30 * number, "monthly") for number in range(1, 3)]
    checked = store_check(environment.catalog, environment.signer(), nights[0], NOW - timedelta(hours=1), passed=False)
    assert checked
    facts = read_facts(environment, NOW)
    assert facts.counts == {"nightly": HISTORY + 3, "monthly": 2}
    assert [each.id for each in facts.points if each.tier == "nightly"] == [str(id) for id in nights[HISTORY - 1 :: -1]]
    assert [each.id for each in facts.points if each.tier == "monthly"] == [str(id) for id in months[::-1]]
    assert facts.since == months[-1].opened_at
    newest = next(each for each in facts.points if each.id == str(nights[0]))
    assert (newest.rows, newest.tables, newest.seconds, newest.is_decrypted) == (42, 1, 1.0, True)
    assert newest.bytes == (folder(site, nights[0]) / "database.dump.age").stat().st_size
    manifest = folder(site, nights[0]) / "manifest.json"
    assert newest.committed_at == datetime.fromtimestamp(manifest.stat().st_mtime, UTC)
    assert (newest.restore_check, newest.restore_checked_at) == ("failed", NOW - timedelta(hours=1))
    assert newest.restore_check_faults == ("table public.orders: 41 rows instead of 42",)
    assert (facts.faulty, facts.troubles, facts.notes) == ((), (), ())


def test_what_is_known_is_not_read_again(site: Site) -> None:
    """Only the newest of each tier, and what is new; the facts are those of a first reading."""
    environment = site.environment()
    for number in range(2, 12):
        point(environment, number)
    known = read_facts(environment, NOW)
    new = point(environment, 1)
    facts, calls = calls_of(environment, known)
    assert facts == read_facts(environment, NOW).model_copy(
        update={"guard_at": facts.guard_at, "space": facts.space, "schedules": facts.schedules}
    )
    read = {key for operation, key in calls if operation in ("get", "read_range") and "restore-points" in key}
    assert read == {
        environment.keys.manifest(new),
        environment.keys.signature(new),
        environment.keys.artifact(new, "database.dump.age"),
    }


def test_what_expires_is_gone(site: Site) -> None:
    """A known point whose folder has vanished is no fault, and is no longer counted."""
    environment = site.environment()
    old, new = point(environment, 2), point(environment, 1)
    known = read_facts(environment, NOW)
    shutil.rmtree(folder(site, old))
    facts = read_facts(environment, NOW, known)
    assert ([each.id for each in facts.points], facts.counts, facts.faulty) == ([str(new)], {"nightly": 1}, ())


def test_a_restore_check_that_comes_later_is_seen(site: Site) -> None:
    """Of an older point too; and a newer record decides."""
    environment = site.environment()
    ids = [point(environment, number) for number in (3, 2, 1)]
    known = read_facts(environment, NOW)
    store_check(environment.catalog, environment.signer(), ids[0], NOW - timedelta(hours=2))
    known = read_facts(environment, NOW, known)
    assert [each.restore_check for each in known.points] == ["passed", None, None]
    store_check(environment.catalog, environment.signer(), ids[2], NOW - timedelta(hours=2))
    known = read_facts(environment, NOW, known)
    store_check(environment.catalog, environment.signer(), ids[2], NOW - timedelta(hours=1), passed=False)
    known = read_facts(environment, NOW, known)
    assert [each.restore_check for each in known.points] == ["passed", None, "failed"]


def test_a_late_restore_check_of_an_old_point_is_seen(site: Site) -> None:
    """However far back the point lies among the others: the evidence of the check leads there."""
    environment = site.environment()
    old = point(environment, 200, "monthly")
    for number in range(1, 90):
        point(environment, number)
    known = read_facts(environment, NOW)
    store_check(environment.catalog, environment.signer(), old, NOW - timedelta(hours=2))
    check = RestorePointId.make(NOW - timedelta(hours=2), "restore_check", "late")
    write_evidence(environment, make_evidence(check, restore_point=str(old)))
    point(environment, 100, "monthly")
    facts = read_facts(environment, NOW, known)
    assert {each.id: each.restore_check for each in facts.points}[str(old)] == "passed"


def test_unfinished_points(site: Site) -> None:
    """What was opened and not committed, with its last write; once committed it is a point."""
    environment = site.environment()
    done = point(environment, 2)
    id = RestorePointId.make(NOW - NIGHT, "nightly", "dead")
    environment.store.put(environment.keys.draft(id, "open"), [b"{}"])
    facts = read_facts(environment, NOW)
    (found,) = facts.unfinished
    draft = folder(site, id) / "draft-open.json"
    assert (found.id, found.tier, found.opened_at) == (str(id), "nightly", id.opened_at)
    assert found.last_written_at == datetime.fromtimestamp(draft.stat().st_mtime, UTC)
    assert ([each.id for each in facts.points], facts.counts) == ([str(done)], {"nightly": 1})


def test_a_last_good_point_behind_many_failures_is_found(site: Site) -> None:
    """However many nights have failed since."""
    environment = site.environment()
    good = point(environment, 60)
    for number in range(1, 45):
        dead = RestorePointId.make(NOW - number * NIGHT, "nightly", "dead")
        environment.store.put(environment.keys.draft(dead, "open"), [b"{}"])
    facts = read_facts(environment, NOW)
    assert [each.id for each in facts.points] == [str(good)]
    assert (len(facts.unfinished), facts.counts) == (44, {"nightly": 1})


@pytest.mark.parametrize("is_known", [False, True])
def test_a_forged_point(site: Site, tmp_path: Path, is_known: bool) -> None:
    """Signed by another, malformed, unsigned, or of another place: named, and never the newest good one."""
    environment = site.environment()
    good = point(environment, 9)
    known = read_facts(environment, NOW) if is_known else None
    new_keys(tmp_path / "theirs")
    forged = point(environment, 1, signer=Signer.load(tmp_path / "theirs/signing.pem"))
    unsigned, moved, torn = point(environment, 2), point(environment, 3), point(environment, 4)
    (folder(site, unsigned) / "manifest.sig").unlink()
    shutil.copy(folder(site, good) / "manifest.json", folder(site, moved) / "manifest.json")
    shutil.copy(folder(site, good) / "manifest.sig", folder(site, moved) / "manifest.sig")
    (folder(site, torn) / "manifest.json").write_bytes(b"[" * 100_000)
    facts = read_facts(environment, NOW, known)
    assert faults(facts) == [(str(id), "signature_mismatch") for id in (torn, moved, unsigned, forged)]
    assert all(each.text for each in facts.faulty)
    assert [each.id for each in facts.points] == [str(good)]


@pytest.mark.parametrize("name", ["database.dump.age", "manifest.json"])
def test_a_changed_point_is_found_by_its_folder(site: Site, name: str) -> None:
    """An older, known one too: a lost artifact, or a manifest that was written anew."""
    environment = site.environment()
    old, _ = point(environment, 2), point(environment, 1)
    known = read_facts(environment, NOW)
    assert known.faulty == ()
    if name == "manifest.json":
        (folder(site, old) / name).write_bytes(b"{}")
        os.utime(folder(site, old) / name, times=(0, 0))
    else:
        (folder(site, old) / name).unlink()
    facts = read_facts(environment, NOW, known)
    kind = "signature_mismatch" if name == "manifest.json" else "artifact_missing"
    assert faults(facts) == [(str(old), kind)]
    assert faults(read_facts(environment, NOW, facts)) == [(str(old), kind)]


def test_a_lost_artifact_of_the_newest(site: Site) -> None:
    """It is named, and so is one that was cut."""
    environment = site.environment()
    id = point(environment)
    artifact = folder(site, id) / "database.dump.age"
    content = artifact.read_bytes()
    artifact.write_bytes(content[:-1])
    (cut,) = read_facts(environment, NOW).faulty
    assert f"database.dump.age has {len(content) - 1} bytes instead of {len(content)}" in cut.text
    artifact.unlink()
    (gone,) = read_facts(environment, NOW).faulty
    assert (gone.kind, gone.id) == ("artifact_missing", str(id))
    assert "database.dump.age is missing" in gone.text


def test_a_point_that_no_identity_opens(site: Site) -> None:
    """Told at the next look, by the header alone; one that is no age file at all too."""
    environment = site.environment()
    stranger = age.generate_identity().recipient()
    store_point(environment.catalog, environment.signer(), NOW - 2 * NIGHT, "monthly")
    id = store_point(environment.catalog, environment.signer(), NOW - NIGHT, recipients=[stranger])
    facts = read_facts(environment, NOW)
    assert [(each.tier, each.kind) for each in facts.faulty] == [
        ("monthly", "not_decryptable"),
        ("nightly", "not_decryptable"),
    ]
    assert f"{id}/database.dump.age: age header: no key at hand opens it" in facts.faulty[1].text
    assert facts.troubles == ()


def test_a_large_header_is_read_further(site: Site) -> None:
    """Post-quantum recipients take more than the first KiB."""
    identity = age.generate_identity(post_quantum=True)
    (site.keys / "identity.txt").write_text(identity.secret_text())
    (site.keys / "recipient.txt").write_text(str(identity.recipient()))
    environment = site.environment()
    point(environment)
    facts = read_facts(environment, NOW)
    assert (facts.faulty, facts.troubles) == ((), ())


def test_key_files_that_cannot_be_used(site: Site) -> None:
    """A lost identity, one of other backups, a lost verify key, a signing key of another pair: each its trouble."""
    id = point(site.environment())
    new_keys(site.folder / "others")
    lost, other = ("not_decryptable", "identity"), ("identity_mismatch", "identity")
    known = read_facts(site.environment(), NOW)
    for old, new, expected in (
        ("/keys/identity.txt", "/keys/lost.txt", [lost]),
        ("/keys/lost.txt", "/others/identity.txt", [other, lost]),
        ("/others/identity.txt", "/keys/identity.txt", []),
        ("/keys/signing.pem", "/others/signing.pem", [("signature_mismatch", "signing key")]),
        ("/others/signing.pem", "/keys/signing.pem", []),
        ("/keys/signing.pub", "/keys/lost.pub", [("signature_mismatch", "signing key")]),
    ):
        site.edit_policy(old, new)
        facts = read_facts(site.environment(), NOW, known)
        assert troubles(facts) == expected, new
        assert ([each.id for each in facts.points], facts.counts) == ([str(id)], {"nightly": 1})


def test_a_host_without_identity_by_design(site: Site) -> None:
    """A note, and no trouble."""
    point(site.environment())
    site.edit_policy(f"identity_file: {site.keys}/identity.txt", "identity_file: null")
    facts = read_facts(site.environment(), NOW)
    assert (facts.faulty, facts.troubles) == ((), ())
    assert any("no identity" in note for note in facts.notes)


def test_evidence(site: Site) -> None:
    """What was tried, closed or not yet; known and closed evidence is not read again; what is forged is named."""
    environment = site.environment()
    drill = RestorePointId.make(NOW - 5 * NIGHT, "restore_drill", "drill")
    check = RestorePointId.make(NOW - 4 * NIGHT, "restore_check", "check")
    evidence = make_evidence(drill)
    write_evidence(environment, evidence)
    write_evidence(environment, make_evidence(check))
    facts = read_facts(environment, NOW)
    assert [(each.kind, each.verdict, each.is_closed) for each in facts.tried] == [
        ("restore_drill", "passed", False),
        ("restore_check", "passed", True),
    ]
    assert {each.rto_seconds for each in facts.tried} == {16.05}
    write_closing(environment, make_closing(evidence, "dora.dba"), evidence)
    facts = read_facts(environment, NOW, facts)
    assert [each.is_closed for each in facts.tried] == [True, True]
    again, calls = calls_of(environment, facts)
    assert again.tried == facts.tried
    assert [operation for operation, key in calls if "evidence" in key] == ["folders"]
    forged = RestorePointId.make(NOW - 3 * NIGHT, "restore_check", "forged")
    environment.store.put(environment.keys.evidence_object(forged, "evidence.json"), [make_evidence(forged).encode()])
    facts = read_facts(environment, NOW, facts)
    assert faults(facts) == [(str(forged), "signature_mismatch")]
    assert facts.since == drill.opened_at


def test_rotations(site: Site) -> None:
    """By the inventory as it is today; a broken one is a note."""
    inventory = site.folder / "inventory.yaml"
    today = NOW.date()
    entry = "- {{name: {}, area: session, owner: platform, rotated_by: [ada], kept_in: vault, rotate_by: {}}}\n"
    inventory.write_text(
        "variables:\n"
        + entry.format("OLD_SECRET", today - timedelta(days=3))
        + entry.format("NEW_SECRET", today + timedelta(days=3))
    )
    site.edit_policy("    tiers:\n", f"    inventory: {{file: {inventory}}}\n    tiers:\n")
    (found,) = read_facts(site.environment(), NOW).rotations
    assert (found.name, found.owner, found.rotated_by) == ("OLD_SECRET", "platform", ("ada",))
    inventory.write_text("variables: 3")
    facts = read_facts(site.environment(), NOW)
    assert facts.rotations == ()
    assert any("inventory" in note for note in facts.notes)


def test_the_guard_looks_at_a_folder_each_time(site: Site) -> None:
    """What takes no request is seen at once; the hour goes on for what does."""
    environment = site.environment()
    point(environment)
    site.store_folder.chmod(0o755)
    facts = read_facts(environment, NOW)
    assert [each.name for each in facts.guard] == ["folder"]
    site.store_folder.chmod(0o700)
    half = read_facts(environment, NOW + timedelta(minutes=30), facts)
    assert (half.guard, half.guard_at) == ((), NOW)
    whole = read_facts(environment, NOW + timedelta(minutes=61), half)
    assert (whole.guard, whole.guard_at) == ((), NOW + timedelta(minutes=61))


def test_a_store_that_is_away(site: Site) -> None:
    """One trouble, and what was known stands."""
    environment = site.environment()
    point(environment)
    known = read_facts(environment, NOW)
    site.store_folder.rename(site.folder / "elsewhere")
    site.store_folder.symlink_to(site.folder / "unplugged")
    facts = read_facts(environment, NOW, known)
    assert {kind for kind, _ in troubles(facts)} == {"store_unreachable"}
    assert (facts.points, facts.counts, facts.since) == (known.points, known.counts, known.since)
    assert read_facts(environment, NOW).points == ()


@pytest.mark.parametrize("moment", ["before", "amid"])
def test_every_call_may_fail(site: Site, moment: Moment) -> None:
    """Each in turn: a trouble, never an exception, and no point is taken for lost."""
    site.edit_policy(
        "conn_id: shop_db}", "conn_id: shop_db, pitr: streaming}\n    media: {source: 'file:///srv/media'}"
    )
    environment = site.environment()
    old, new = point(environment, 2), point(environment, 1, "monthly")
    store_check(environment.catalog, environment.signer(), new, NOW)
    write_evidence(environment, make_evidence(RestorePointId.make(NOW - NIGHT, "restore_drill", "drill")))
    known = read_facts(environment, NOW)
    assert (known.troubles, known.faulty) == ((), ())
    for facts_before in (None, known):
        total = len(calls_of(environment, facts_before)[1])
        assert total > 8
        for number in range(1, total + 1):
            store = FailingStore(environment.store, fail_at=number, moment=moment)
            facts = read_facts(replace(environment, store=store), NOW, facts_before)
            # Of a listing that gives nothing there is no amid.
            if store.has_failed and moment == "before":
                assert ("store_unreachable", "store") in troubles(facts), store.calls[number - 1]
            assert facts.faulty == (), store.calls[number - 1]
            if facts_before is not None:
                assert [each.id for each in facts.points] == [str(old), str(new)], store.calls[number - 1]
                assert facts.tried == known.tried


def test_what_a_stranger_puts_there(site: Site) -> None:
    """Folders, links, pipes and large or odd files neither crash it nor hide what is ours."""
    environment = site.environment()
    good = point(environment, 3)
    root = site.store_folder / "shop/production"
    points = root / "restore-points"
    (points / "99991231T235959Z-nightly-aaaaaa").mkdir()
    (points / "99991231T235958Z-nightly-aaaaaa").mkdir()
    (points / "99991231T235958Z-nightly-aaaaaa" / "manifest.json").write_bytes(b"\xff\xfe")
    (points / "20261340T000000Z-nightly-aaaaaa").mkdir()
    (points / "20260101T000000Z-nightly-aaaaaa").write_bytes(b"a file")
    (points / "20260102T000000Z-nightly-aaaaaa").symlink_to(points / str(good))
    (points / "20260103T000000Z-weekly-aaaaaa").mkdir()
    huge = points / "20260104T000000Z-nightly-aaaaaa"
    huge.mkdir()
    with (huge / "manifest.json").open("wb") as file:
        file.truncate(65 << 20)
    (points / str(good) / "restore-check-20990101t000000z-restore_check-aaaaaa.json").write_bytes(b"{}")
    (points / str(good) / "with space").write_bytes(b"")
    os.mkfifo(points / str(good) / "pipe")
    (root / "evidence").symlink_to("/")
    facts = read_facts(environment, NOW)
    assert [each.id for each in facts.points] == [str(good)]
    assert {kind for _, kind in faults(facts)} == {"signature_mismatch"}
    assert {id[:8] for id, _ in faults(facts)} == {"99991231", "20260104", str(good)[:8]}
    assert troubles(facts) == [("store_unreachable", "evidence")]


def test_content_is_what_the_factory_says() -> None:
    """The artifact of a point without recipients is no age file, which the tests above rely on."""
    assert not CONTENT.startswith(b"age-encryption.org/")
