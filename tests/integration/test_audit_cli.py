"""``holdfast audit`` as people call it, and the same checks by sha256sum and openssl alone."""

from __future__ import annotations

import getpass
import json
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import PROJECT, MakeSite, Site
from holdfast.expire import add_hold, expire, remove_hold
from holdfast.values.ids import RestorePointId
from point_factory import store_point


@pytest.fixture
def bare(make_site: MakeSite) -> Site:
    """A site without a database: of three restore points two are due."""
    site = make_site("postgresql://nobody@127.0.0.1:1/none")
    place, now = site.environment(), datetime.now(UTC)
    days = (60, 50, 1)
    ids = [store_point(place.catalog, place.signer(), now - timedelta(days=each)) for each in days]
    site.variables["DUE"], site.variables["HELD"] = str(ids[0]), str(ids[1])
    return site


@pytest.fixture
def site(bare: Site) -> Site:
    """One of them was held and released, and the other has expired meanwhile."""
    place, held = bare.environment(), RestorePointId.parse(bare.variables["HELD"])
    add_hold(place, held, now=place.clock(), by="dora")
    expire(place, now=place.clock())
    remove_hold(place, held)
    return bare


def _where(site: Site) -> tuple[str, str]:
    return str(site.policy_file), "production"


def _folder(site: Site) -> Path:
    return site.store_folder / "shop/production/audit"


def test_show_tells_who_did_what(bare: Site) -> None:
    """For people and for programs, all of it or a choice."""
    site, held = bare, bare.variables["HELD"]
    site.run("hold", "add", *_where(site), held, "--reason", "a lawsuit\x1b[31m")
    site.run("expire", *_where(site))
    site.run("hold", "remove", *_where(site), held, SUDO_USER="dora")
    records = site.json("audit", "show", *_where(site))["records"]
    user = getpass.getuser()
    assert [(each["action"], each["subject"], each["who"]) for each in records] == [
        ("held", site.variables["HELD"], user),
        ("deleted", site.variables["DUE"], user),
        ("released", site.variables["HELD"], f"dora as {user}"),
    ]
    assert {each["signature"] for each in records} == {"signed"}
    lines = site.run("audit", "show", *_where(site)).stdout.decode().splitlines()
    assert len(lines) == 3
    assert "\x1b" not in "".join(lines) and "reason: a lawsuit" in lines[0] and "older than 35d" in lines[1]

    def shown(*more: str) -> list[int]:
        return [each["number"] for each in site.json("audit", "show", *_where(site), *more)["records"]]

    assert shown("--last", "2") == [2, 3]
    assert shown("--action", "deleted") == [2]
    assert shown("--who", user) == [1, 2]
    assert shown("--who", user, "--last", "1") == [2]
    assert shown("--since", records[1]["at"]) == [2, 3]
    assert shown("--since", "2031-01-01T00:00+01:00") == []
    assert b"nothing recorded fits" in site.run("audit", "show", *_where(site), "--who", "nobody").stderr


def test_verify_names_what_is_wrong(site: Site) -> None:
    """Status 0 with an anchor to note down; status 1 with the record that is not as it was, or is gone."""
    said = site.run("audit", "verify", *_where(site)).stdout.decode()
    anchor = site.json("audit", "verify", *_where(site))["anchor"]
    assert "3 records: genuine, whole and unaltered" in said and f"anchor: {anchor}" in said
    assert site.json("audit", "verify", *_where(site), "--anchor", anchor)["ok"] is True
    second, third = sorted(_folder(site).rglob("*.json"), key=lambda path: path.name)[1:]
    third.unlink()
    assert site.json("audit", "verify", *_where(site), "--anchor", anchor, expect=1)["problems"][0]["kind"] == "removed"
    second.write_bytes(second.read_bytes().replace(b"35d", b"45d"))
    found = site.json("audit", "verify", *_where(site), expect=1)
    assert [each["number"] for each in found["problems"]] == [2]
    broken = site.run("audit", "verify", *_where(site), expect=1).stdout
    assert b"altered" in broken and b"0000000002.json" in broken
    assert site.json("audit", "show", *_where(site))["records"][1]["signature"] == "broken"


def test_wrong_input_is_status_two(bare: Site) -> None:
    """Said in a sentence, never a traceback."""
    for command, *more in (
        ("show", "--since", "2026-11-22"),
        ("show", "--action", "dropped"),
        ("show", "--last", "0"),
        ("verify", "--anchor", "3:zz"),
    ):
        said = bare.run("audit", command, *_where(bare), *more, expect=2).stderr
        assert b"holdfast: error:" in said and b"fault in holdfast" not in said


def test_an_environment_without_a_trail(make_site: MakeSite) -> None:
    """Nothing is wrong, and nothing is made."""
    site = make_site("postgresql://nobody@127.0.0.1:1/none")
    assert site.json("audit", "verify", *_where(site))["records"] == 0
    assert site.json("audit", "show", *_where(site)) == {"records": []}
    assert b"no records" in site.run("audit", "verify", *_where(site)).stdout
    site.run("hold", "add", *_where(site), str(RestorePointId.make(datetime.now(UTC), "nightly", "x")), expect=1)
    assert site.stored_files() == []


def test_a_laptop_without_the_signing_key(site: Site) -> None:
    """It can hold; that is recorded, and told to be unsigned until a signed record follows."""
    (site.keys / "signing.pem").rename(site.keys / "away")
    site.run("hold", "add", *_where(site), site.variables["HELD"])
    said = site.run("audit", "verify", *_where(site)).stdout
    assert b"1 of them unsigned, the last 1 with no signed one behind" in said
    (site.keys / "away").rename(site.keys / "signing.pem")
    site.run("hold", "remove", *_where(site), site.variables["HELD"])
    assert site.json("audit", "verify", *_where(site)) | {"anchor": ""} == {
        "ok": True, "records": 5, "unsigned": 1, "unsealed": 0, "anchor": "", "problems": [],
    }  # fmt: skip


def test_records_can_be_checked_without_holdfast(site: Site) -> None:
    """By the commands of the page, which find what was altered or removed, too."""
    blocks = re.findall(r"```bash\n(.*?)```", (PROJECT / "docs/audit.md").read_text(), re.DOTALL)
    (example,) = [block for block in blocks if "openssl" in block]
    example = re.sub("^cd .*", f"cd '{_folder(site)}'", example).replace("~/holdfast-keys", str(site.keys))

    def checked() -> list[str]:
        return subprocess.run(["bash", "-c", example], capture_output=True, text=True, check=True).stdout.splitlines()

    anchor = site.json("audit", "verify", *_where(site))["anchor"]
    assert checked() == ["Signature Verified Successfully"] * 3 + [f"anchor: {anchor}"]
    files = sorted(_folder(site).rglob("*.json"), key=lambda path: path.name)
    kept = files[1].read_bytes()
    record = json.loads(kept) | {"who": "mallory"}
    files[1].write_bytes(json.dumps(record, indent=2).encode() + b"\n")
    found = checked()
    assert "record 2 is not ours" in found and "record 3 does not follow" in found
    files[1].unlink()
    assert "record 2 is missing" in checked()
    files[1].write_bytes(kept)
    assert checked()[-1] == f"anchor: {anchor}"
