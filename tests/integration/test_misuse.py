"""The command line says what is wrong before anything starts: paths that lead nowhere, wrong files, no patience."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site

POINT = "20261122T020000Z-nightly-4f9c2a"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked."""
    return make_site("postgresql://u:hunter2@127.0.0.1:9/shop")


def error(site: Site, *arguments: str, expect: int = 2, **more: str) -> str:
    """What the command says on stderr."""
    return site.run(*arguments, expect=expect, **more).stderr.decode()


def test_keys_need_a_directory_with_a_name(site: Site) -> None:
    """A script whose variable is empty must not leave keys in its working directory."""
    assert "--out: is empty" in error(site, "keys", "new", "--out", "")
    assert not (site.folder / "identity.txt").exists()


@pytest.mark.parametrize("what", ["link", "file"])
def test_store_that_lies_nowhere_is_no_empty_store(site: Site, what: str) -> None:
    """A disk that is not mounted must not look as if there had never been a backup; nor is it made."""
    place = site.folder / what
    if what == "link":
        place.symlink_to(site.folder / "disk")
    elif what == "file":
        place.touch()
    site.edit_policy(f"file://{site.store_folder}", f"file://{place}{'' if what == 'link' else '/store'}")
    said = {"link": "is a symbolic link to", "file": "is not a directory"}[what]
    policy = str(site.policy_file)
    for command in (["list", policy, "production"], ["verify", policy, "production", POINT]):
        told = error(site, *command)
        assert f"{place} {said}" in told
        assert "Mount the disk" in told
    checks = {check["name"]: check for check in site.json("doctor", policy, "production", expect=1)["checks"]}
    assert f"{place} {said}" in checks["store"]["text"]
    assert checks["store"]["verdict"] == "failed"
    assert not (site.folder / "disk").exists()
    assert place.is_dir() is False


def test_store_that_was_never_written_is_empty(site: Site) -> None:
    """Its directory is made by the first backup."""
    assert "no restore points yet" in error(site, "list", str(site.policy_file), "production", expect=0)


@pytest.mark.parametrize("what", ["missing", "file", "read-only"])
def test_unusable_temporary_folder_is_refused(site: Site, what: str) -> None:
    """Nothing is decrypted to another disk than the one that was asked for."""
    folder = Path("/proc") if what == "read-only" else site.folder / "spool"
    if what == "file":
        folder.touch()
    arguments = ["restore", str(site.policy_file), "production", POINT, "--to", "postgresql://u@h/d"]
    told = error(site, *arguments, "--jobs", "2", TMPDIR=str(folder))
    assert f"TMPDIR {folder}: cannot hold the decrypted archive: " in told
    assert "not found in" in error(site, *arguments, "--jobs", "1", TMPDIR=str(folder), expect=1)


@pytest.mark.parametrize("name", ["identity.txt", "signing.pem", "signing.pub", "recipient.txt"])
def test_directory_in_the_place_of_a_key_is_named(site: Site, name: str) -> None:
    """As such, not as a missing file."""
    (site.keys / name).unlink()
    (site.keys / name).mkdir()
    checks = site.json("doctor", str(site.policy_file), "production", expect=1)["checks"]
    assert any(f"{site.keys / name}: is a directory" in check["text"] for check in checks)


def test_directory_in_the_place_of_policy_or_inventory_is_named(site: Site) -> None:
    """The same."""
    assert f"policy {site.folder}: is a directory" in error(site, "policy", "check", str(site.folder))
    site.edit_policy("    keys:\n", "    inventory: {file: keys}\n    keys:\n")
    told = error(site, "inventory", "check", str(site.policy_file), "production")
    assert f"inventory {site.keys}: is a directory" in told


def test_interrupt_amid_the_imports_is_one_line(site: Site, tmp_path: Path) -> None:
    """Who changes their mind at once sees no traceback."""
    slow = tmp_path / "slow"
    slow.mkdir()
    (slow / "click.py").write_text("import os, time\nos.write(1, b'importing')\ntime.sleep(60)\n")
    surroundings = site.surroundings()
    surroundings["PYTHONPATH"] = f"{slow}{os.pathsep}{surroundings['PYTHONPATH']}"
    command = site.command("list", str(site.policy_file), "production")
    with subprocess.Popen(command, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout is not None
        assert running.stdout.read(9) == b"importing"
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=30)
    assert (running.returncode, said) == (130, b"holdfast: error: interrupted\n")
