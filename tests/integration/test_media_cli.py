"""The media commands as users and scripts call them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from audit_trail import told
from fix_environment import Site
from fix_media import tree_of, write_sample
from media_factory import Builder


def arguments(site: Site, command: str, *more: str) -> tuple[str, ...]:
    return ("media", command, str(site.policy_file), "production", *more)


def shard(site: Site) -> Path:
    return max((site.store_folder / "shop/production/media/shards").iterdir(), key=lambda path: path.stat().st_size)


def test_commands_tell_one_story(media_site: Site) -> None:
    """Sync, list, diff, check and restore agree with each other and with the source."""
    media = media_site.folder / "media"
    write_sample(media)
    first = media_site.json(*arguments(media_site, "sync"))
    assert first["new_files"] > 40
    assert media_site.json(*arguments(media_site, "check"))["ok"] is True
    (media / "zero").unlink()
    (media / "dangling").unlink()
    (media / "dangling").symlink_to("elsewhere")
    (media / "new \x1b[31m").write_bytes(b"new")
    second = media_site.json(*arguments(media_site, "sync"))
    listed = media_site.json(*arguments(media_site, "list"))["snapshots"]
    assert [each["id"] for each in listed] == [first["snapshot"], second["snapshot"]]
    assert [each["faults"] for each in listed] == [[], []]
    assert listed[1]["new_files"] == second["new_files"] == 1
    between = media_site.json(*arguments(media_site, "diff", first["snapshot"], "latest"))
    assert (between["added"], between["changed"], between["removed"]) == (["new \x1b[31m"], ["dangling"], ["zero"])
    shown = media_site.run(*arguments(media_site, "diff", first["snapshot"], second["snapshot"])).stdout
    assert shown.splitlines() == [b"~ dangling", b"+ new \\x1b[31m", b"- zero"]
    restored = media_site.json(*arguments(media_site, "restore", "latest", "--to", "to"))
    assert restored["ok"] is True
    assert tree_of(media_site.folder / "to") == tree_of(media)
    one = arguments(media_site, "restore", first["snapshot"], "--to", "one", "--path", "zero")
    assert b"1 files" in media_site.run(*one).stdout
    acts = [(each.action, each.subject) for each in told(media_site.environment())]
    assert acts == [
        ("triggered", first["snapshot"]),
        ("triggered", second["snapshot"]),
        ("restored", second["snapshot"]),
        ("restored", first["snapshot"]),
    ]
    assert told(media_site.environment())[-1].details == {"to": str(media_site.folder / "one"), "paths": ["zero"]}


def test_damage_ends_in_status_one_and_names(media_site: Site) -> None:
    """list, check and restore each say what is wrong, on stderr and in JSON."""
    write_sample(media_site.folder / "media")
    id = media_site.json(*arguments(media_site, "sync"))["snapshot"]
    damaged = shard(media_site)
    content = bytearray(damaged.read_bytes())
    content[1_000_000] ^= 1
    damaged.write_bytes(content)
    found = media_site.json(*arguments(media_site, "check"), expect=1)
    assert {file["path"] for file in found["damaged"]} == {"courses/7/copy.mp4", "courses/7/intro.mp4", "linked.mp4"}
    assert all(file["snapshots"] == [id] for file in found["damaged"])
    assert b"damaged: courses/7/copy.mp4" in media_site.run(*arguments(media_site, "check"), expect=1).stderr
    done = media_site.run(*arguments(media_site, "restore", id, "--to", "to"), expect=1)
    assert b"courses/7/copy.mp4: its bytes in the store are damaged" in done.stderr
    damaged.unlink()
    (listed,) = media_site.json(*arguments(media_site, "list"))["snapshots"]
    assert "is missing" in listed["faults"][0]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("restore", "yesterday", "--to", "to"), b"not of the form"),
        (("restore", "latest"), b"--to"),
        (("restore", "latest", "--to", "to", "--path", "/etc"), b"relative"),
        (("restore", "latest", "--to", "to", "--path", "no/such"), b"holds nothing of that name"),
        (("restore", "latest", "--to", ""), b"empty"),
        (("restore", "latest", "--to", "store/new"), b"own store"),
        (("restore", "latest", "--to", "media/new"), b"own source"),
        (("check", "--fraction", "0"), b"fraction"),
        (("check", "--fraction", "1.5"), b"fraction"),
    ],
)
def test_wrong_use_is_status_two(media_site: Site, more: tuple[str, ...], said: bytes) -> None:
    """A clear line, and nothing written."""
    (media_site.folder / "media/file").write_bytes(b"x")
    media_site.run(*arguments(media_site, "sync"))
    done = media_site.run(*arguments(media_site, more[0], *more[1:]), expect=2)
    assert said in done.stderr
    assert not (media_site.folder / "to").exists()
    assert not (media_site.folder / "file").exists()


def test_verdicts_say_no_more_than_is_so(media_site: Site) -> None:
    """Nothing read, nothing restored, in part: neither `intact` nor `as recorded` where that was not seen."""
    assert b"no shards to check" in media_site.run(*arguments(media_site, "check")).stdout
    media = media_site.folder / "media"
    (media / "one").write_bytes(b"one")
    media_site.run(*arguments(media_site, "sync"))
    whole = shard(media_site)
    (media / "two").write_bytes(b"two")
    media_site.run(*arguments(media_site, "sync"))
    whole.unlink()
    said = media_site.run(*arguments(media_site, "check"), expect=1).stdout
    assert b"NOT intact: 1 files damaged, 1 shards damaged" in said
    assert b"every file" not in said
    part = media_site.run(*arguments(media_site, "restore", "latest", "--to", "to"), expect=1).stdout
    assert part.startswith(b"restored in part")
    none = media_site.run(*arguments(media_site, "restore", "latest", "--to", "no", "--path", "one"), expect=1).stdout
    assert none.startswith(b"NOT restored")
    assert b"as recorded" not in none


def test_diff_of_a_damaged_listing_prints_one_object(media_site: Site) -> None:
    """An error in the midst of a listing leaves the error alone on stdout."""
    environment = media_site.environment()
    ids = []
    for day in (1, 2):
        builder = Builder(environment)
        for number in range(6000):
            builder.file(b"many/%05d-%d" % (number, day), b"%d of %d" % (number, day))
        ids.append(str(builder.commit(datetime(2026, 11, day, tzinfo=UTC))))
    listing = media_site.store_folder / f"shop/production/media/snapshots/{ids[1]}.jsonl.zst.age"
    content = bytearray(listing.read_bytes())
    content[len(content) // 2] ^= 1
    listing.write_bytes(content)
    found = media_site.json(*arguments(media_site, "diff", *ids), expect=1)
    assert set(found) == {"error", "hint", "status"}


def test_target_of_any_name_is_shown_as_text(media_site: Site) -> None:
    """Its bytes need not be UTF-8; what is printed is."""
    (media_site.folder / "media/one").write_bytes(b"one")
    media_site.run(*arguments(media_site, "sync"))
    found = media_site.json(*arguments(media_site, "restore", "latest", "--to", "x\udcff\n"))
    assert found["target"].endswith("x\\xff\n")
    said = media_site.run(*arguments(media_site, "restore", "latest", "--to", "x\udcff\n")).stdout
    assert b"x\\xff\\n: 0 files" in said


def test_latest_of_none_is_an_error(media_site: Site) -> None:
    """Without a snapshot there is nothing to restore, and the list is empty."""
    assert media_site.json(*arguments(media_site, "list")) == {"snapshots": []}
    assert (
        b"there are none" in media_site.run(*arguments(media_site, "restore", "latest", "--to", "x"), expect=1).stderr
    )


def test_restore_point_shows_and_verifies_its_media(media_site: Site, make_database: Callable[..., str]) -> None:
    """`list` names the media snapshot of a point, `verify` finds its shards missing, and its id restores the files."""
    write_sample(media_site.folder / "media")
    media_site.variables["AIRFLOW_CONN_SHOP_DB"] = make_database("CREATE TABLE t (a int)")
    id = media_site.backup()
    (point,) = media_site.json("list", str(media_site.policy_file), "production")["restore_points"]
    assert point["media_snapshot"] == id
    verify = ("verify", str(media_site.policy_file), "production", id)
    assert media_site.json(*verify)["ok"] is True
    assert media_site.json(*arguments(media_site, "restore", id, "--to", "to"))["ok"] is True
    manifest = media_site.store_folder / f"shop/production/media/snapshots/{id}.json"
    assert json.loads(manifest.read_bytes())["id"] == id
    shard(media_site).unlink()
    assert "is missing" in media_site.json(*verify, expect=1)["faults"][0]
    manifest.unlink()
    assert "not found" in media_site.json(*verify, expect=1)["faults"][0]
