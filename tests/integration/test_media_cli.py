"""The media commands as users and scripts call them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fix_environment import Site
from fix_media import tree_of, write_sample


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
