"""`holdfast wal check` finds what is wrong with the WAL and base backups of a real server, and names it."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fix_environment import POLICY, Site
from fix_wal import Streamed, drop_slot, streamer_url
from holdfast.backup.base import take_base_backup
from holdfast.catalog import WalPiece
from holdfast.catalog.drafts import write_draft
from holdfast.crypto.keyfiles import new_keys
from holdfast.crypto.signing import Signer
from holdfast.recovery.cluster import Cluster
from holdfast.verify import WalCheckReport, check_wal

SLOT = "holdfast_test_wal_check"


@pytest.fixture(scope="module")
def stored(wal18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The WAL of a real server: some, a base backup, and six segments and a bit behind it."""
    folder = tmp_path_factory.mktemp("checked")
    new_keys(folder / "keys")
    text = POLICY.format(store_url=f"file://{folder}/store", store_conn="null", keys=folder / "keys")
    text = text.replace("{conn_id: shop_db}", "{conn_id: shop_db, pitr: streaming}")
    wal = f"    wal: {{slot: {SLOT}, ship_every: 1s, mark_every: 1s}}\n    tiers:\n      base_backup: {{keep: 14d}}\n"
    text = text.replace("    tiers:\n", wal)
    (folder / "shop.yaml").write_text(text)
    variables = {"AIRFLOW_CONN_SHOP_DB": streamer_url(wal18)}
    site = Site(folder, folder / "shop.yaml", folder / "keys", folder / "store", variables)
    streamed = Streamed(wal18, site, SLOT)
    try:
        with streamed.streaming():
            take_base_backup(site.environment(), full=True)
            for _ in range(6):
                streamed.write(200, "checked_notes")
                last = streamed.switch()
            while last not in streamed.segments():
                pass
        yield site
    finally:
        drop_slot(wal18.url(), SLOT)


@pytest.fixture
def site(stored: Site, tmp_path: Path) -> Site:
    """A copy of it, to be damaged."""
    folder = tmp_path / "site"
    shutil.copytree(stored.folder, folder)
    policy = folder / "shop.yaml"
    policy.write_text(policy.read_text().replace(str(stored.folder), str(folder)))
    return replace(stored, folder=folder, policy_file=policy, keys=folder / "keys", store_folder=folder / "store")


def _check(site: Site, *, everything: bool = False) -> WalCheckReport:
    return check_wal(site.environment(), everything=everything)


def _faults(report: WalCheckReport) -> list[str]:
    return [str(fault) for fault in report.faults]


def _segments(site: Site) -> list[WalPiece]:
    """The whole segments behind the base backup, oldest first."""
    environment = site.environment()
    (base,) = [environment.base_catalog.manifest(entry.id, environment.verifier()) for entry in _entries(site)]
    behind = [piece for piece in environment.wal_catalog.pieces() if piece.kind == "segment"]
    return [piece for piece in behind if int(piece.name[16:], 16) << 20 > int(base.stop_lsn.partition("/")[2], 16)]


def _entries(site: Site) -> list:  # type: ignore[type-arg]
    return [entry for entry in site.environment().base_catalog.entries() if entry.is_committed]


def _path(site: Site, piece: WalPiece) -> Path:
    return site.store_folder / site.environment().wal_catalog.key(piece)


def _record_path(site: Site, piece: WalPiece) -> Path:
    return site.store_folder / site.environment().wal_catalog.record_key(piece)


def _flip(path: Path) -> None:
    """Another byte in the middle, the time of writing as before: what a disk does to it."""
    was = path.stat()
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))


def test_sound_store_is_read_once(site: Site) -> None:
    """The second check reads nothing, --all everything again."""
    first = _check(site)
    assert _faults(first) == []
    assert first.is_decrypted
    assert (first.base_backups, first.base_backups_read) == (1, 1)
    assert first.read == first.pieces > 6
    assert first.bytes > 0
    second = _check(site)
    assert (second.ok, second.pieces, second.read, second.base_backups_read) == (True, first.pieces, 0, 0)
    again = _check(site, everything=True)
    assert (again.ok, again.read, again.base_backups_read) == (True, first.pieces, 1)


def test_interrupted_check_goes_on_where_it_was(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of hours of reading."""
    from holdfast.verify.wal_piece import PieceReader

    real = PieceReader.check
    seen: list[str] = []

    def check(self: PieceReader, piece: WalPiece) -> object:
        if len(seen) == 3:
            raise KeyboardInterrupt
        seen.append(piece.name)
        return real(self, piece)

    with monkeypatch.context() as patched:
        patched.setattr(PieceReader, "check", check)
        with pytest.raises(KeyboardInterrupt):
            _check(site)
    second = _check(site)
    assert second.ok
    # One of them may not have been wholly read when another was interrupted.
    assert second.pieces - 3 <= second.read < second.pieces


def test_flipped_byte_is_found_and_remembered(site: Site) -> None:
    """By a first check; the window then ends before it until it is whole again."""
    piece = _segments(site)[3]
    whole = _path(site, piece).read_bytes()
    _flip(_path(site, piece))
    (fault,) = _check(site).faults
    assert fault.key == site.environment().wal_catalog.key(piece)
    (again,) = _check(site).faults
    assert again.key == fault.key
    found = site.json("pitr", "window", str(site.policy_file), "production")
    assert [gap["first"] for gap in found["gaps"]] == [piece.name]
    _path(site, piece).write_bytes(whole)
    assert _check(site).ok
    assert site.json("pitr", "window", str(site.policy_file), "production")["gaps"] == []


def test_what_was_written_again_since_is_read_again(site: Site) -> None:
    """Without --all too; what a disk does without a trace is found with it."""
    one, other = _segments(site)[2:4]
    assert _check(site).ok
    _flip(_path(site, one))
    assert _check(site).ok
    _path(site, other).write_bytes(_path(site, other).read_bytes()[:-1])
    assert [fault.key for fault in _check(site).faults] == [site.environment().wal_catalog.key(other)]
    found = {fault.key for fault in _check(site, everything=True).faults}
    assert found == {site.environment().wal_catalog.key(piece) for piece in (one, other)}


@pytest.mark.parametrize("kept", [0, 100, 0.5])
def test_truncated_segment_is_named(site: Site, kept: float) -> None:
    """Nothing left, not even a header, or half."""
    piece = _segments(site)[1]
    content = _path(site, piece).read_bytes()
    _path(site, piece).write_bytes(content[: int(kept * len(content)) if kept < 1 else int(kept)])
    (fault,) = _check(site).faults
    assert fault.key == site.environment().wal_catalog.key(piece)


def test_deleted_middle_segment_is_a_gap(site: Site) -> None:
    """Both object and record gone, as nobody of ours would do it."""
    piece = _segments(site)[2]
    _path(site, piece).unlink()
    _record_path(site, piece).unlink()
    (fault,) = _check(site).faults
    assert fault.key == site.environment().wal_catalog.key(piece)
    assert "missing" in fault.reason


def test_an_emptied_store_is_not_sound(site: Site) -> None:
    """Nothing is left that could be damaged; with WAL that no base backup makes useful it is the same."""
    for folder in ("base-backups", "wal"):
        shutil.rmtree(next(site.store_folder.glob(f"*/*/{folder}")))
        assert any("no base backup" in fault for fault in _faults(_check(site)))


def test_record_without_object_and_object_without_record_are_named(site: Site) -> None:
    """Each by the half that is missing, or as a gap."""
    one, other = _segments(site)[1], _segments(site)[3]
    _path(site, one).unlink()
    _record_path(site, other).unlink()
    named = {fault.key for fault in _check(site).faults}
    catalog = site.environment().wal_catalog
    assert {catalog.key(one), catalog.key(other), catalog.record_key(other)} == named


def test_swapped_segments_are_both_named(site: Site) -> None:
    """Each is sound in itself."""
    one, other = _segments(site)[1:3]
    contents = _path(site, one).read_bytes(), _path(site, other).read_bytes()
    _path(site, one).write_bytes(contents[1])
    _path(site, other).write_bytes(contents[0])
    catalog = site.environment().wal_catalog
    assert {fault.key for fault in _check(site).faults} == {catalog.key(one), catalog.key(other)}


def test_segments_swapped_with_their_records_are_both_named(site: Site) -> None:
    """A record says whose it is."""
    one, other = _segments(site)[1:3]
    for path in (_path, _record_path):
        contents = path(site, one).read_bytes(), path(site, other).read_bytes()
        path(site, one).write_bytes(contents[1])
        path(site, other).write_bytes(contents[0])
    catalog = site.environment().wal_catalog
    assert {fault.key for fault in _check(site).faults} == {catalog.record_key(one), catalog.record_key(other)}


def test_forged_record_is_named(site: Site) -> None:
    """Signed by another key."""
    piece = _segments(site)[2]
    environment = site.environment()
    catalog = environment.wal_catalog
    record = catalog.record(piece, environment.verifier())
    _record_path(site, piece).unlink()
    write_draft(environment.store, catalog.record_key(piece), record, Signer.generate())
    (fault,) = _check(site).faults
    assert fault.key == catalog.record_key(piece)
    assert "signature" in fault.reason


def test_segment_of_another_place_that_was_signed_is_found_by_its_pages(site: Site) -> None:
    """The host that signs was made to store one segment under the name of another."""
    one, other = _segments(site)[1:3]
    environment = site.environment()
    catalog = environment.wal_catalog
    record = catalog.record(one, environment.verifier())
    _record_path(site, other).unlink()
    lie = record.model_copy(update={"name": other.name})
    write_draft(environment.store, catalog.record_key(other), lie, environment.signer())
    _path(site, other).write_bytes(_path(site, one).read_bytes())
    (fault,) = _check(site).faults
    assert fault.key == catalog.key(other)
    assert "first page" in fault.reason


def test_wrong_identity_is_not_taken_for_damage(site: Site) -> None:
    """It fails, but nothing counts as missing for it."""
    new_keys(site.folder / "other")
    site.edit_policy(f"{site.keys}/identity.txt", f"{site.folder}/other/identity.txt")
    report = _check(site)
    assert not report.ok
    assert all("not decryptable" in fault.reason for fault in report.faults)
    assert any("identity_file" in note for note in report.notes)
    assert site.json("pitr", "window", str(site.policy_file), "production")["gaps"] == []
    site.edit_policy(f"{site.folder}/other/identity.txt", f"{site.keys}/identity.txt")
    assert _check(site).ok


def test_without_identity_only_existence_is_checked_and_that_is_said(site: Site) -> None:
    """A gap is found, a flipped byte is not."""
    site.edit_policy(f"      identity_file: {site.keys}/identity.txt\n", "")
    one, other = _segments(site)[1], _segments(site)[3]
    _flip(_path(site, one))
    report = _check(site)
    assert (report.ok, report.is_decrypted, report.read) == (True, False, 0)
    assert any("only that it is there" in note for note in report.notes)
    _path(site, other).unlink()
    assert not _check(site).ok


@pytest.mark.parametrize("damage", ["flip", "truncate", "delete"])
def test_damaged_base_backup_is_named(site: Site, damage: str) -> None:
    """And found again by the next check."""
    (entry,) = _entries(site)
    key = site.environment().keys.base_backup(entry.id, "base.tar.zst.age")
    path = site.store_folder / key
    if damage == "flip":
        _flip(path)
    elif damage == "truncate":
        path.write_bytes(path.read_bytes()[:-20])
    else:
        path.unlink()
    for report in (_check(site), _check(site)):
        assert any(str(entry.id) in fault and "base.tar.zst.age" in fault for fault in _faults(report))


def test_forged_check_is_not_believed(site: Site) -> None:
    """Else who can write to the store could have damage passed over."""
    report = _check(site)
    (record,) = report.records
    folder = next(site.store_folder.glob("shop/production/wal/*/checks"))
    path = folder / f"{record}.json"
    path.write_text(path.read_text().replace("00000001", "00000002"))
    again = _check(site)
    assert again.read == report.read
    assert any(record in fault for fault in _faults(again))


def test_command_names_objects_and_ends_with_one(site: Site) -> None:
    """Exit status 0 where all is well, 1 with faults; --json has them, too."""
    arguments = ("wal", "check", str(site.policy_file), "production")
    assert b"intact and without a gap" in site.run(*arguments).stdout
    piece = _segments(site)[2]
    _flip(_path(site, piece))
    done = site.run(*arguments, "--all", expect=1)
    assert site.environment().wal_catalog.key(piece).encode() in done.stderr
    found = json.loads(site.run(*arguments, "--json", expect=1).stdout)
    assert [fault["object"] for fault in found["faults"]] == [site.environment().wal_catalog.key(piece)]
    assert (found["ok"], found["decrypted"]) == (False, True)
