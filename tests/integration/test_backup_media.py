"""Restore points with media: the snapshot is begun after the dump's, and the database's references are compared."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from fix_media import tree_of, with_media
from holdfast.backup import (
    commit_manifest,
    dump_database,
    open_restore_point,
    run_backup,
    snapshot_media,
    verify_list,
)
from holdfast.backup.media import sync as sync_module
from holdfast.errors import IntegrityError, PermanentError
from holdfast.manifest.model import Manifest
from holdfast.media.directory_source import DirectorySource
from holdfast.media.source import Found, Reader
from holdfast.values.ids import RestorePointId

NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)


@pytest.fixture
def site(make_database: Callable[..., str], make_site: MakeSite) -> Site:
    """Two lessons whose files exist, one whose file is lost, and a file that no lesson has."""
    url = make_database(
        "CREATE TABLE lessons (id int PRIMARY KEY, file text);"
        "INSERT INTO lessons VALUES (1, 'a/intro.mp4'), (2, '/b.pdf'), (3, 'lost.pdf'), (4, NULL)"
    )
    made = with_media(make_site(url))
    made.edit_policy("    keys:\n", '    media_references: "SELECT file FROM lessons"\n    keys:\n')
    media = made.folder / "media"
    (media / "a").mkdir()
    (media / "a/intro.mp4").write_bytes(os.urandom(5000))
    (media / "b.pdf").write_bytes(b"pdf")
    (media / "orphan.bin").write_bytes(b"nobody wants me")
    return made


def manifest_of(site: Site, id: str) -> Manifest:
    environment = site.environment()
    return environment.catalog.manifest(RestorePointId.parse(id), environment.verifier())


def test_manifest_pairs_dump_and_media(site: Site, tmp_path: Path) -> None:
    """Under one id and one signed manifest, with what is missing on either side."""
    id = site.backup()
    manifest = manifest_of(site, id)
    media = manifest.media
    assert media is not None and media.snapshot == id
    assert (media.files, media.vanished, media.unstable) == (3, 0, 0)
    assert media.references is not None
    assert (media.references.total, media.references.missing_paths) == (3, ("lost.pdf",))
    assert (media.references.unreferenced, media.references.unreferenced_paths) == (1, ("orphan.bin",))
    assert media.started_at >= manifest.database.source.snapshot_at
    stored = site.environment().store.get(site.environment().keys.media_manifest(RestorePointId.parse(id)))
    assert hashlib.sha256(stored).hexdigest() == media.manifest_sha256
    site.run("media", "restore", str(site.policy_file), "production", id, "--to", str(tmp_path / "back"))
    assert tree_of(tmp_path / "back") == tree_of(site.folder / "media")
    assert not [name for name in site.stored_files() if "draft" in name]


def test_listing_tells_the_media_of_a_point(site: Site) -> None:
    id = site.backup()
    found = site.json("list", str(site.policy_file), "production")["restore_points"]
    assert [point["media_snapshot"] for point in found] == [id]


def test_verify_says_that_it_read_no_shard(site: Site) -> None:
    """A flipped byte there is for a media check to find, so nobody may take the media for read."""
    id = site.backup()
    shard = next(name for name in site.stored_files() if "/shards/" in name)
    path = site.store_folder / shard
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(content)
    note = "the shards of its media were not read: `holdfast media check` does"
    shown = site.run("verify", str(site.policy_file), "production", id).stdout.decode()
    assert shown.rstrip().endswith(f"decrypted and listed; {note}")
    assert site.json("verify", str(site.policy_file), "production", id)["notes"] == [note]
    site.run("media", "check", str(site.policy_file), "production", expect=1)
    path.unlink()
    found = site.json("verify", str(site.policy_file), "production", id, expect=1)
    assert "is missing" in found["faults"][0]


def test_second_backup_stores_no_media_again(site: Site) -> None:
    site.backup()
    before = [name for name in site.stored_files() if "/shards/" in name]
    site.backup()
    assert [name for name in site.stored_files() if "/shards/" in name] == before


class Losing(DirectorySource):
    """Loses one file between the walk and the reading of it."""

    def open(self, found: Found) -> Reader:
        if found.path == b"b.pdf":
            (self._root / "b.pdf").unlink()
        return super().open(found)


def test_file_lost_meanwhile_that_the_database_refers_to_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The restore point would promise a file that nobody has; no remnant of it stays."""
    media = site.folder / "media"
    monkeypatch.setattr(sync_module, "open_source", lambda url, connection: Losing(media))
    with pytest.raises(IntegrityError, match=r"1 files that the database refers to vanished .*: b\.pdf"):
        run_backup(site.environment(), "nightly")
    assert site.ids() == []
    assert site.environment().media_catalog.ids() == []


def test_file_lost_meanwhile_that_nobody_refers_to_is_recorded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.edit_policy("SELECT file FROM lessons", "SELECT file FROM lessons WHERE id <> 2")
    media = site.folder / "media"
    monkeypatch.setattr(sync_module, "open_source", lambda url, connection: Losing(media))
    facts = run_backup(site.environment(), "nightly")
    found = manifest_of(site, facts.restore_point).media
    assert found is not None and found.vanished == 1


def steps(site: Site) -> Iterator[RestorePointId]:
    environment = site.environment()
    id = open_restore_point(environment, tier="nightly", opened_at=NOW, origin="run")
    yield id
    dump_database(environment, id)
    yield id


def test_steps_keep_their_order(site: Site) -> None:
    """Media before the dump would miss files, a manifest without them would promise too much: both are refused."""
    environment = site.environment()
    walk = steps(site)
    id = next(walk)
    with pytest.raises(PermanentError, match="the dump step has left no draft"):
        snapshot_media(environment, id)
    next(walk)
    verify_list(environment, id)
    with pytest.raises(PermanentError, match="the media step has left no draft"):
        commit_manifest(environment, id)
    snapshot_media(environment, id)
    commit_manifest(environment, id)
    assert snapshot_media(environment, id).files == 3, "a step that runs again finds what it made"


def test_dump_that_starts_over_takes_another_media_snapshot(site: Site) -> None:
    """Its rows may refer to files that came after the first walk."""
    environment = site.environment()
    (id, *_) = steps(site)
    snapshot_media(environment, id)
    environment.store.delete(environment.keys.draft(id, "dump"))
    (site.folder / "media/lost.pdf").write_bytes(b"found again")
    dump_database(environment, id)
    assert environment.media_catalog.ids() == []
    snapshot_media(environment, id)
    verify_list(environment, id)
    commit_manifest(environment, id)
    found = manifest_of(site, str(id)).media
    assert found is not None and found.references is not None and found.references.missing == 0


def test_replaced_media_snapshot_is_noticed(site: Site) -> None:
    """Between the media step and the manifest somebody puts another snapshot in its place."""
    environment = site.environment()
    (id, *_) = steps(site)
    snapshot_media(environment, id)
    verify_list(environment, id)
    key = environment.keys.media_manifest(id)
    document = json.loads(environment.store.get(key))
    environment.store.delete(key)
    environment.store.put(key, [json.dumps({**document, "files": 2}).encode()])
    with pytest.raises(PermanentError, match="its media snapshot was replaced"):
        commit_manifest(environment, id)
