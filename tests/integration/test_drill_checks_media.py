"""Media of a restore point in a drill: references are compared, a sample or all is restored, damage is found."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from fix_media import tree_of, with_media
from fix_postgres import execute
from holdfast.drill.checks import media_fetcher, restore_and_check_media
from holdfast.drill.outcome import Outcome
from holdfast.errors import IntegrityError, StoreError
from holdfast.manifest.model import Manifest
from holdfast.postgres.conninfo import Target
from holdfast.values.ids import RestorePointId


class Backed:
    """A site with a restore point; its own database stands in for the restored one, which has the same rows."""

    def __init__(self, site: Site, url: str) -> None:
        self.site, self.url = site, url
        self.environment = site.environment()
        self.manifest: Manifest = self.environment.catalog.manifest(
            RestorePointId.parse(site.backup()), self.environment.verifier()
        )
        self.folder = site.folder / "restored"

    def check(self, extent: str = "sample", seed: str = "drill-1", folder: Path | None = None) -> Outcome:
        return restore_and_check_media(
            self.site.environment(),
            self.manifest,
            Target.parse(self.url),
            folder or self.folder,
            extent="all" if extent == "all" else "sample",
            seed=seed,
        )

    def restored(self, folder: Path | None = None) -> set[str]:
        root = folder or self.folder
        return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}

    def shards(self) -> list[Path]:
        return sorted((self.site.store_folder / "shop/production/media/shards").iterdir())


@pytest.fixture
def site(make_database: Callable[..., str], make_site: MakeSite) -> Site:
    """Sixty lessons with a file each, forty files of nobody, and one lesson whose file was lost long ago."""
    url = make_database(
        "CREATE TABLE lessons (id int PRIMARY KEY, file text);"
        "INSERT INTO lessons SELECT i, 'lessons/' || lpad(i::text, 3, '0') || '.bin' FROM generate_series(1, 60) i;"
        "INSERT INTO lessons VALUES (100, 'lost.pdf')"
    )
    made = with_media(make_site(url))
    made.edit_policy("    keys:\n", '    media_references: "SELECT file FROM lessons"\n    keys:\n')
    made.edit_policy("    tiers:\n", "    drill: {media_sample: 30}\n    tiers:\n")
    media = made.folder / "media"
    for folder, count in (("lessons", 60), ("others", 40)):
        (media / folder).mkdir()
        for number in range(1, count + 1):
            file = media / folder / f"{number:03}.bin"
            file.write_bytes(os.urandom(500 + number))
            os.utime(file, (1_700_000_000, 1_700_000_000))
    (media / "others/largest.bin").write_bytes(os.urandom(200_000))
    (media / "others/newest *.bin").write_bytes(b"new")
    os.utime(media / "others/newest *.bin", (1_790_000_000, 1_790_000_000))
    return made


@pytest.fixture
def backed(site: Site) -> Backed:
    return Backed(site, site.variables["AIRFLOW_CONN_SHOP_DB"])


def about(outcome: Outcome) -> set[str]:
    return {finding.about for finding in outcome.findings}


def texts(outcome: Outcome) -> str:
    return "\n".join(finding.text for finding in outcome.findings)


def test_sample_is_restored_and_references_compared(backed: Backed) -> None:
    """What was missing when the backup was taken is a note; the sample is the same for the same seed."""
    found = backed.check()
    assert found.findings == ()
    assert found.notes == (
        "1 media files that the database refers to were missing already when the backup was taken: lost.pdf",
    )
    facts = dict(found.facts)
    assert isinstance(facts.pop("media_seconds"), float) and int(facts.pop("media_bytes") or 0) > 200_000
    assert facts == {
        "media": True, "media_extent": "sample", "media_files": 30, "media_files_failed": 0,
        "media_references": 61, "media_references_missing": 1,
    }  # fmt: skip
    chosen = backed.restored()
    assert len(chosen) == 30 and {"others/largest.bin", "others/newest *.bin"} <= chosen
    assert sum(name.startswith("lessons/") for name in chosen) >= 21
    source = backed.site.folder / "media"
    assert all((backed.folder / name).read_bytes() == (source / name).read_bytes() for name in chosen)
    again, other = backed.site.folder / "again", backed.site.folder / "other"
    backed.check(folder=again)
    backed.check(seed="drill-2", folder=other)
    assert backed.restored(again) == chosen != backed.restored(other)


def test_a_second_run_converges(backed: Backed) -> None:
    """As after a worker's death: what stands there is kept, and counted."""
    backed.check()
    (backed.folder / "others/largest.bin").unlink()
    found = backed.check()
    assert found.passed and found.facts["media_files"] == 30
    assert "others/largest.bin" in backed.restored()


def test_all_media_are_restored(backed: Backed) -> None:
    found = backed.check("all")
    assert found.passed and found.facts["media_files"] == 102
    assert tree_of(backed.folder) == tree_of(backed.site.folder / "media")


def test_fewer_files_than_the_sample_wants(site: Site) -> None:
    site.edit_policy("media_sample: 30", "media_sample: 5000")
    backed = Backed(site, site.variables["AIRFLOW_CONN_SHOP_DB"])
    assert backed.check().facts["media_files"] == 102


def test_reference_without_a_file_is_found(backed: Backed) -> None:
    """A row that refers to a file which the snapshot lacks, and lacked not when the backup was taken."""
    execute(backed.url, "UPDATE lessons SET file = 'lessons/gone.bin' WHERE id = 7")
    found = backed.check()
    assert about(found) == {"backup"} and len(found.findings) == 1
    assert texts(found).startswith("media file lessons/gone.bin: the restored database refers to it")
    assert found.facts["media_references_missing"] == 2


def test_lost_references_are_noted(backed: Backed) -> None:
    execute(backed.url, "DELETE FROM lessons WHERE id < 4")
    found = backed.check()
    assert "refers to 58 media files, when the backup was taken to 61" in found.notes[1]


@pytest.mark.parametrize(
    ("query", "blamed", "text"),
    [
        ("SELECT file FROM lesson", "backup", "either the restored database lost it"),
        ("SELEC file", "drill", "the policy's query is wrong"),
        ("SELECT id, file FROM lessons", "drill", "2 columns instead of one"),
    ],
)
def test_failing_query_is_found_and_media_restored(backed: Backed, query: str, blamed: str, text: str) -> None:
    backed.site.edit_policy("SELECT file FROM lessons", query)
    found = backed.check()
    assert about(found) == {blamed} and text in texts(found)
    assert found.facts["media_files"] == 30


def test_without_a_query_files_alone_are_sampled(backed: Backed) -> None:
    backed.site.edit_policy('    media_references: "SELECT file FROM lessons"\n', "")
    found = backed.check()
    assert found.passed and found.notes == () and found.facts["media_files"] == 30
    assert "media_references" not in found.facts


def test_flipped_byte_in_a_shard_is_found(backed: Backed) -> None:
    """The files whose bytes are damaged are named, all others are restored."""
    shard = max(backed.shards(), key=lambda path: path.stat().st_size)
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    found = backed.check("all")
    assert about(found) == {"backup"}
    assert any(line.startswith("media file ") and ".bin" in line for line in texts(found).splitlines())
    assert int(found.facts["media_files"] or 0) + int(found.facts["media_files_failed"] or 0) == 102


def test_missing_shard_is_found(backed: Backed) -> None:
    shards = backed.shards()
    for shard in shards:
        shard.unlink()
    found = backed.check()
    assert about(found) == {"backup"} and found.facts["media_files_failed"] == 30
    lines = texts(found).splitlines()
    for shard, line in zip(shards, lines, strict=False):
        assert "media snapshot" in line and shard.name.split(".")[0] in line
    assert all("is missing in the store" in line for line in lines[len(shards) :])
    assert len(lines) == len(shards) + 30


def test_damaged_listing_is_found(backed: Backed) -> None:
    listing = next((backed.site.store_folder / "shop/production/media/snapshots").glob("*.jsonl.zst.age"))
    data = bytearray(listing.read_bytes())
    data[-20] ^= 1
    listing.write_bytes(data)
    found = backed.check()
    assert about(found) == {"backup"} and listing.name in texts(found)


def test_lost_snapshot_is_found(backed: Backed) -> None:
    folder = backed.site.store_folder / "shop/production/media/snapshots"
    next(folder.glob("*.json")).unlink()
    found = backed.check()
    assert about(found) == {"backup"} and "not found" in texts(found)


def test_forged_snapshot_is_found(backed: Backed) -> None:
    folder = backed.site.store_folder / "shop/production/media/snapshots"
    manifest = next(folder.glob("*.json"))
    manifest.write_bytes(manifest.read_bytes().replace(b'"files": 102', b'"files": 101'))
    found = backed.check()
    assert about(found) == {"backup"} and "signature" in texts(found)


def test_missing_identity_is_the_drills(backed: Backed) -> None:
    (backed.site.keys / "identity.txt").unlink()
    found = backed.check()
    assert about(found) == {"drill"} and "identity_file" in texts(found)


def test_target_without_room_is_the_drills(backed: Backed, small_disk: Path) -> None:
    (small_disk / "filling").write_bytes(bytes((4 << 20) - 100_000))
    found = backed.check("all", folder=small_disk / "restored")
    assert about(found) == {"drill"} and "are free" in texts(found)


def test_restore_point_without_media_is_noted(backed: Backed) -> None:
    backed.manifest = backed.manifest.model_copy(update={"media": None})
    found = backed.check()
    assert found.passed and found.notes == ("no media snapshot belongs to this restore point",)
    assert media_fetcher(backed.environment, backed.manifest, backed.folder) is None


def test_store_that_is_away_is_no_finding(backed: Backed) -> None:
    backed.site.edit_policy(f"file://{backed.site.store_folder}", "s3://nowhere/x")
    backed.site.edit_policy("conn_id: null", "conn_id: shop_store")
    backed.site.variables["AIRFLOW_CONN_SHOP_STORE"] = (
        "aws://a:b@/?endpoint_url=http%3A%2F%2F127.0.0.1%3A9&region_name=x"
    )
    with pytest.raises(StoreError):
        backed.check()


def test_fetcher_restores_exactly_what_is_asked_for(backed: Backed) -> None:
    """Also names with a star in them, and beside what is there; what the snapshot lacks is an error that names it."""
    fetch = media_fetcher(backed.environment, backed.manifest, backed.folder)
    assert fetch is not None
    fetch(["others/newest *.bin"])
    fetch(["lessons/001.bin", "others/newest *.bin"])
    assert backed.restored() == {"others/newest *.bin", "lessons/001.bin"}
    with pytest.raises(IntegrityError, match=r"gone\.bin: the snapshot holds nothing of that name"):
        fetch(["lessons/002.bin", "gone.bin"])
    assert "lessons/002.bin" in backed.restored()
