"""Media snapshots of real trees: what is read, what is stored, and what happens to files that do not keep still."""

from __future__ import annotations

import itertools
import os
import secrets
import stat
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import Site
from fix_media import tree_of, write_sample
from holdfast.backup.media import SyncFacts, sync_media
from holdfast.backup.media import sync as sync_module
from holdfast.backup.media.sync import take_snapshot
from holdfast.crypto import age
from holdfast.crypto.keyfiles import new_keys
from holdfast.environment import Environment
from holdfast.errors import PermanentError
from holdfast.media.directory_source import DirectorySource
from holdfast.media.entries import Entry, parse
from holdfast.media.listing import read_blocks
from holdfast.media.packing import ShardSizes
from holdfast.media.records import SnapshotManifest
from holdfast.media.source import Found, Reader, SourceUnavailable
from holdfast.progress import Silent
from holdfast.restore import restore_media
from holdfast.values.ids import RestorePointId

RUNS = itertools.count()
SMALL = ShardSizes(least=40_000, target=60_000, most=100_000)


def sync(site: Site, *, force: bool = False) -> SyncFacts:
    opened_at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=next(RUNS))
    return sync_media(site.environment(), tier="media", opened_at=opened_at, origin=secrets.token_hex(8), force=force)


def snapshot(environment: Environment, name: str) -> SyncFacts:
    """A sync with shards of some ten kilobytes."""
    opened_at = datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=len(environment.media_catalog.ids()))
    id = RestorePointId.make(opened_at, "media", name)
    return take_snapshot(environment, id, force=False, progress=Silent(), sizes=SMALL)


def manifest_of(environment: Environment, facts: SyncFacts) -> SnapshotManifest:
    return environment.media_catalog.manifest(RestorePointId.parse(facts.snapshot), environment.verifier())


def entries_of(environment: Environment, facts: SyncFacts) -> dict[bytes, Entry]:
    stream = environment.store.stream(environment.keys.listing(RestorePointId.parse(facts.snapshot)))
    blocks = read_blocks(age.decrypt(stream, environment.listing_identities()))
    return {entry.path: entry for lines in blocks for entry in map(parse, lines)}


def settle() -> None:
    """Wait until nothing that was written is in doubt any more: the time of a file's change cannot be set."""
    time.sleep(2.6)


def test_whole_tree_comes_back(media_site: Site, tmp_path: Path) -> None:
    """Odd names, links of both kinds, holes, modes, times, empty files and folders."""
    media = media_site.folder / "media"
    write_sample(media)
    before = tree_of(media)
    facts = sync(media_site)
    restore_media(media_site.environment(), RestorePointId.parse(facts.snapshot), tmp_path / "back")
    assert tree_of(tmp_path / "back") == before
    assert facts.files == sum(1 for kind, *_ in before.values() if kind == stat.S_IFREG)


def test_only_what_changed_is_read_and_only_new_content_is_stored(media_site: Site) -> None:
    media = media_site.folder / "media"
    for number in range(30):
        (media / f"{number}.bin").write_bytes(os.urandom(5000))
    settle()
    first = sync(media_site)
    assert (first.files, first.read_files, first.new_files) == (30, 30, 30)
    again = sync(media_site)
    assert (again.files, again.read_files, again.new_files, again.stored_bytes) == (30, 0, 0, 0)
    (media / "3.bin").write_bytes(os.urandom(5000))
    (media / "new.bin").write_bytes(os.urandom(700))
    (media / "copy.bin").write_bytes((media / "7.bin").read_bytes())
    (media / "5.bin").rename(media / "renamed.bin")
    (media / "9.bin").unlink()
    third = sync(media_site)
    assert (third.files, third.read_files, third.new_files) == (31, 4, 2)
    assert 5700 < third.stored_bytes < 12_000


def test_change_that_leaves_no_sign_is_still_noticed(media_site: Site) -> None:
    """Same size, same times: only that the file was touched just before it was read tells that it may have changed."""
    file = media_site.folder / "media/file.bin"
    file.write_bytes(b"first words")
    status = file.stat()
    environment = media_site.environment()
    first = sync(media_site)
    file.write_bytes(b"other words")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    second = sync(media_site)
    assert second.new_files == 1
    contents = [entries_of(environment, facts)[b"file.bin"].content for facts in (first, second)]
    assert contents[0] and contents[1] and contents[0].sha256 != contents[1].sha256


def test_shards_open_with_public_tools(media_site: Site, tmp_path: Path) -> None:
    """`age -d | tar x` gives the files under their names, sparse ones included, in time with their times."""
    media = media_site.folder / "media"
    (media / "inner").mkdir()
    (media / "inner" / ("n" * 200)).write_bytes(b"long name")
    (media / "odd\nname").write_bytes(b"odd")
    with (media / "sparse").open("wb") as file:
        file.seek(8_000_000)
        file.write(b"x" * 10_000)
        file.truncate(9_000_001)
    os.utime(media / "odd\nname", ns=(0, 1_600_000_000_000_000_000))
    facts = sync(media_site)
    back = tmp_path / "back"
    back.mkdir()
    for shard in (media_site.store_folder / "shop/production/media/shards").iterdir():
        plain = subprocess.run(
            ["age", "-d", "-i", str(media_site.keys / "identity.txt"), str(shard)], capture_output=True, check=True
        )
        subprocess.run(["tar", "-x", "-C", str(back)], input=plain.stdout, check=True)
    assert facts.stored_bytes < 100_000  # the hole is not stored
    for path in ("inner/" + "n" * 200, "odd\nname", "sparse"):
        assert (back / path).read_bytes() == (media / path).read_bytes()
    assert (back / "odd\nname").stat().st_mtime == 1_600_000_000


def test_file_beyond_eight_gibibytes(media_site: Site, tmp_path: Path) -> None:
    """More than a plain tar's size field holds; sparse, so that the test needs no such disk."""
    file = media_site.folder / "media/huge.img"
    with file.open("wb") as huge:
        huge.truncate((8 << 30) + 12_345)
        huge.seek((8 << 30) + 5)
        huge.write(b"behind the limit")
    facts = sync(media_site)
    assert facts.bytes == (8 << 30) + 12_345 and facts.stored_bytes < 200_000
    restore_media(media_site.environment(), RestorePointId.parse(facts.snapshot), tmp_path / "back")
    back = tmp_path / "back/huge.img"
    assert back.stat().st_size == (8 << 30) + 12_345 and back.stat().st_blocks < 2000
    with back.open("rb") as found:
        found.seek((8 << 30) + 5)
        assert found.read(16) == b"behind the limit"


def test_links_and_specials(media_site: Site, tmp_path: Path) -> None:
    """Links are kept as links and never followed; what is neither file nor folder is counted, not stored."""
    media = media_site.folder / "media"
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("not media")
    (media / "out").symlink_to(secret)
    (media / "file").write_bytes(b"content")
    os.link(media / "file", media / "twin")
    os.mkfifo(media / "pipe")
    facts = sync(media_site)
    entries = entries_of(media_site.environment(), facts)
    assert entries[b"out"].target == os.fsencode(secret)
    assert not any(path.startswith(b"out/") for path in entries)
    assert entries[b"file"].file_id == entries[b"twin"].file_id is not None
    assert entries[b"pipe"].kind == "special" and facts.special == 1
    assert facts.new_files == 1


def test_host_without_identity_goes_on_incrementally(media_site: Site) -> None:
    """It holds recipients and the signing key alone, and reads the last listing by a key derived from that."""
    media_site.edit_policy(f"      identity_file: {media_site.keys}/identity.txt\n", "")
    (media_site.folder / "media/a").write_bytes(b"a" * 3000)
    settle()
    sync(media_site)
    again = sync(media_site)
    assert (again.read_files, again.stored_bytes, again.notes) == (0, 0, ())


def test_empty_source_is_refused_unless_forced(media_site: Site) -> None:
    """An unmounted volume looks just like it."""
    file = media_site.folder / "media/file"
    file.write_bytes(b"content")
    sync(media_site)
    file.unlink()
    with pytest.raises(PermanentError, match=r"is empty, but the last snapshot holds 1 files") as refused:
        sync(media_site)
    assert refused.value.hint and "--force" in refused.value.hint
    assert len(media_site.environment().media_catalog.ids()) == 1
    assert sync(media_site, force=True).files == 0


def test_missing_source(media_site: Site) -> None:
    (media_site.folder / "media").rmdir()
    with pytest.raises(SourceUnavailable, match="no such file or directory"):
        sync(media_site)
    assert media_site.environment().media_catalog.ids() == []


def test_rerun_of_one_run_makes_no_second_snapshot(media_site: Site) -> None:
    (media_site.folder / "media/file").write_bytes(b"content")
    environment = media_site.environment()
    first = sync_media(environment, tier="media", opened_at=datetime(2026, 11, 22, tzinfo=UTC), origin="one")
    second = sync_media(environment, tier="media", opened_at=datetime(2026, 11, 22, tzinfo=UTC), origin="one")
    assert first.snapshot == second.snapshot
    assert len(environment.media_catalog.ids()) == 1
    assert environment.media_catalog.drafts() == {}


def test_damaged_listing_is_not_built_upon(media_site: Site) -> None:
    """The snapshot before it is; the damage is told, and nothing is lost."""
    file = media_site.folder / "media/file"
    file.write_bytes(b"content")
    settle()
    sync(media_site)
    second = sync(media_site)
    environment = media_site.environment()
    listing = media_site.store_folder / environment.keys.listing(RestorePointId.parse(second.snapshot))
    listing.chmod(0o600)
    listing.write_bytes(listing.read_bytes()[:-1])
    third = sync(media_site)
    assert third.read_files == 0
    assert len(third.notes) == 1 and second.snapshot in third.notes[0]


def test_lost_shard_is_packed_again(media_site: Site, tmp_path: Path) -> None:
    """A shard deleted behind the catalog costs the older snapshots, but no later one."""
    media = media_site.folder / "media"
    for number in range(8):
        (media / str(number)).write_bytes(os.urandom(30_000))
    settle()
    environment = media_site.environment()
    first = snapshot(environment, "first")
    lost = manifest_of(environment, first).shards[0]
    environment.store.delete(environment.keys.shard(lost.id))
    second = snapshot(environment, "second")
    assert 0 < second.read_files < 8 and second.new_files == second.read_files
    assert second.notes
    restore_media(environment, RestorePointId.parse(second.snapshot), tmp_path / "back")
    assert tree_of(tmp_path / "back") == tree_of(media)


def test_shard_that_is_hardly_wanted_is_left_behind(media_site: Site) -> None:
    """Once less than half of its bytes is wanted, the rest is packed again, so that expire can remove it."""
    media = media_site.folder / "media"
    for number in range(12):
        (media / str(number)).write_bytes(os.urandom(9000))
    settle()
    environment = media_site.environment()
    entries = entries_of(environment, snapshot(environment, "first"))
    shards = [entry.content.shard for entry in entries.values() if entry.content]
    shard = max(shards, key=shards.count)
    changed = [path for path, entry in entries.items() if entry.content and entry.content.shard == shard][1:]
    assert len(changed) > 1
    for path in changed:
        (media / path.decode()).write_bytes(os.urandom(100))
    settle()
    second = manifest_of(environment, snapshot(environment, "second"))
    assert shard in {use.id for use in second.shards}
    facts = snapshot(environment, "third")
    assert (facts.read_files, facts.new_files) == (1, 1)
    assert shard not in {use.id for use in manifest_of(environment, facts).shards}


class RestlessReader:
    """A reader beside which somebody writes."""

    def __init__(self, inner: Reader, file: Path) -> None:
        self._inner, self._file = inner, file

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        for piece in self._inner.pieces(offset, length):
            with self._file.open("ab") as file:
                file.write(b"more")
            yield piece

    def extents(self) -> tuple[tuple[int, int], ...] | None:
        return self._inner.extents()

    def now(self) -> Found:
        return self._inner.now()

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("size", [10_000, 6_000_000], ids=["small", "large"])
def test_file_that_never_keeps_still_is_recorded_so(
    media_site: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, size: int
) -> None:
    """It is read again, three times in all; what was read last is stored, whole in itself, and marked."""
    media = media_site.folder / "media"
    (media / "log").write_bytes(b"x" * size)
    (media / "calm").write_bytes(b"calm")

    class Restless(DirectorySource):
        def open(self, found: Found) -> Reader:
            inner = super().open(found)
            return RestlessReader(inner, media / "log") if found.path == b"log" else inner  # type: ignore[return-value]

    monkeypatch.setattr(sync_module, "open_source", lambda url, connection: Restless(media))
    facts = sync(media_site)
    monkeypatch.undo()
    assert facts.unstable == 1
    environment = media_site.environment()
    entry = entries_of(environment, facts)[b"log"]
    assert entry.is_unstable and not entries_of(environment, facts)[b"calm"].is_unstable
    restore_media(environment, RestorePointId.parse(facts.snapshot), tmp_path / "back")
    found = (tmp_path / "back/log").read_bytes()
    assert len(found) == entry.size >= size and (media / "log").read_bytes().startswith(found)
    settle()
    assert sync(media_site).read_files >= 1, "an unstable file is always read again"


@pytest.mark.parametrize("moment", ["before the walk reaches it", "after the walk"])
def test_vanished_files_are_recorded(media_site: Site, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    media = media_site.folder / "media"
    for name in ("a", "folder/b", "z"):
        (media / name).parent.mkdir(exist_ok=True)
        (media / name).write_bytes(name.encode())

    class Losing(DirectorySource):
        def scan(self) -> Iterator[Found]:
            for found in super().scan():
                if found.path == b"a" and moment.startswith("before"):
                    (media / "folder/b").unlink()
                    (media / "folder").rmdir()
                yield found

        def open(self, found: Found) -> Reader:
            if found.path == b"folder/b":
                (media / "folder/b").unlink()
            return super().open(found)

    monkeypatch.setattr(sync_module, "open_source", lambda url, connection: Losing(media))
    facts = sync(media_site)
    assert facts.files == 2 and facts.vanished == 1
    entries = entries_of(media_site.environment(), facts)
    assert [path for path, entry in entries.items() if entry.kind == "vanished"] == [
        b"folder/" if moment.startswith("before") else b"folder/b"
    ]


def test_unreadable_paths_fail_the_sync_and_are_named(media_site: Site) -> None:
    """As a user without root's rights over files; no snapshot appears, and the earlier ones stand."""
    media = media_site.folder / "media"
    (media / "fine").write_bytes(b"fine")
    (media / "closed").mkdir()
    (media / "closed/inside").write_bytes(b"inside")
    (media / "private").write_bytes(b"private")
    (media / "private").chmod(0)
    (media / "closed").chmod(0)
    done = subprocess.run(
        [
            "setpriv",
            "--bounding-set=-dac_override,-dac_read_search",
            "--inh-caps=-dac_override,-dac_read_search",
            *media_site.command("media", "sync", str(media_site.policy_file), "production"),
        ],
        env=media_site.surroundings(),
        cwd=media_site.folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    (media / "closed").chmod(0o700)
    assert done.returncode == 1, done.stderr
    assert "2 paths cannot be read: closed/: permission denied; private: permission denied" in done.stderr
    assert media_site.environment().media_catalog.ids() == []


def test_trusted_in_any_order(media_site: Site) -> None:
    """Two snapshots taken at once share nothing but the store; both come out whole."""
    media = media_site.folder / "media"
    for number in range(20):
        (media / str(number)).write_bytes(os.urandom(9000))
    command = media_site.command("media", "sync", str(media_site.policy_file), "production")
    both = [subprocess.Popen(command, env=media_site.surroundings(), cwd=media_site.folder) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    environment = media_site.environment()
    assert len(environment.media_catalog.ids()) == 2
    assert environment.media_catalog.drafts() == {}
    assert media_site.run("media", "check", str(media_site.policy_file), "production").returncode == 0


def test_new_recipient_has_everything_packed_again(media_site: Site, tmp_path: Path) -> None:
    """Whoever is to read backups now could not open the old shards: what the source still has is stored anew."""
    media = media_site.folder / "media"
    for number in range(5):
        (media / str(number)).write_bytes(os.urandom(9000))
    settle()
    sync(media_site)
    new_keys(media_site.folder / "others")
    for name in ("identity.txt", "recipient.txt"):
        (media_site.folder / "others" / name).replace(media_site.keys / name)
    facts = sync(media_site)
    assert (facts.read_files, facts.new_files) == (5, 5)
    assert "not encrypted to all recipients" in facts.notes[0]
    restore_media(media_site.environment(), RestorePointId.parse(facts.snapshot), tmp_path / "back")
    assert tree_of(tmp_path / "back") == tree_of(media)
    assert sync(media_site).notes == ()


def test_recipient_that_is_taken_away_has_nothing_packed_again(media_site: Site) -> None:
    """Those who are left can read what stands."""
    (media_site.folder / "media/file").write_bytes(b"content")
    settle()
    other = age.generate_identity().recipient()
    recipients = media_site.keys / "recipient.txt"
    own = recipients.read_text()
    recipients.write_text(f"{own.strip()}\n{other}\n")
    sync(media_site)
    recipients.write_text(own)
    assert sync(media_site).read_files == 0


def test_empty_source_is_refused_though_no_snapshot_can_be_read(media_site: Site) -> None:
    """Another signing key, or somebody who spoilt every manifest, must not make an empty source look like the first."""
    file = media_site.folder / "media/file"
    file.write_bytes(b"content")
    sync(media_site)
    file.unlink()
    new_keys(media_site.folder / "others")
    for name in ("signing.pem", "signing.pub"):
        (media_site.folder / "others" / name).replace(media_site.keys / name)
    with pytest.raises(PermanentError, match=r"it is empty, but there are snapshots of it"):
        sync(media_site)


def test_file_system_that_is_not_mounted_any_more_is_noticed(media_site: Site) -> None:
    """Below the source: the walk would see an empty folder there and take all its files for deleted."""
    media = media_site.folder / "media"
    (media / "own").write_bytes(b"own")
    mount = media / "mounted"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=True)
    try:
        (mount / "file").write_bytes(b"content")
        sync(media_site)
    finally:
        subprocess.run(["umount", str(mount)], check=True)
    with pytest.raises(PermanentError, match=r"lie on 1 file systems, those of the last snapshot lay on 2"):
        sync(media_site)
    assert sync(media_site, force=True).files == 1
    assert sync(media_site).files == 1


def test_snapshot_of_a_clock_that_was_ahead_is_not_the_newest(media_site: Site, tmp_path: Path) -> None:
    """Neither is it built upon, nor is it what "latest" means, once the clock is right again."""
    file = media_site.folder / "media/file"
    file.write_bytes(b"old")
    ahead = datetime(2035, 1, 1, tzinfo=UTC)
    sync_media(media_site.environment(), tier="media", opened_at=ahead, origin="ahead")
    file.write_bytes(b"new words")
    policy = (str(media_site.policy_file), "production")
    media_site.run("media", "sync", *policy)
    settle()
    later = media_site.json("media", "sync", *policy)
    assert later["read_files"] == 1  # once more, for it had been written just before the sync
    assert media_site.json("media", "sync", *policy)["read_files"] == 0
    media_site.run("media", "restore", *policy, "latest", "--to", str(tmp_path / "back"))
    assert (tmp_path / "back/file").read_bytes() == b"new words"


def test_snapshots_of_one_second_sort_as_they_were_taken(media_site: Site) -> None:
    (media_site.folder / "media/file").write_bytes(b"content")
    command = ("media", "sync", str(media_site.policy_file), "production")
    taken = [media_site.json(*command)["snapshot"] for _ in range(4)]
    assert taken == sorted(taken)
