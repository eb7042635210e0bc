"""The guard of a store in a folder, and of stores whose settings it cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from holdfast.guard import Check, apply_store, check_store


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is on another machine, which is never asked."""
    site = make_site("postgresql://nobody@db.invalid/none")
    site.store_folder.mkdir(0o700)
    return site


def _named(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def _add_media(site: Site, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    site.edit_policy("    keys:\n", f'    media: {{source: "{folder.as_uri()}"}}\n    keys:\n')


def test_a_closed_folder_is_well(site: Site) -> None:
    """Nothing is wrong with a folder of one's own; looking at it changes nothing."""
    before = site.store_folder.stat()
    assert {check.verdict for check in check_store(site.environment())} == {"ok"}
    assert (site.store_folder.stat().st_mode, list(site.store_folder.iterdir())) == (before.st_mode, [])


@pytest.mark.parametrize("mode", [0o755, 0o701, 0o702, 0o777])
def test_an_open_folder_is_found_and_closed(site: Site, mode: int) -> None:
    """Its group keeps what rights it has."""
    site.store_folder.chmod(mode)
    found = _named(check_store(site.environment()))["folder"]
    assert (found.verdict, found.is_blocking) == ("failed", False)
    assert site.store_folder.stat().st_mode & 0o777 == mode
    mended = _named(apply_store(site.environment()))["folder"]
    assert mended.verdict == "ok"
    assert mended.text.startswith("mended: ")
    assert site.store_folder.stat().st_mode & 0o777 == mode & 0o770


def test_a_folder_that_is_not_there_yet_is_well(site: Site) -> None:
    """The first backup makes it."""
    site.store_folder.rmdir()
    assert _named(check_store(site.environment()))["folder"].verdict == "ok"
    assert not site.store_folder.exists()


def test_media_within_the_store_forbid_a_backup(site: Site) -> None:
    """Also by way of a link; the policy alone sees only a store within the media."""
    (site.store_folder / "media").mkdir()
    link = site.folder / "media"
    link.symlink_to(site.store_folder / "media")
    _add_media(site, link)
    found = _named(check_store(site.environment()))["place"]
    assert (found.verdict, found.is_blocking) == ("failed", True)
    assert _named(apply_store(site.environment()))["place"].verdict == "failed"


def test_a_store_that_came_to_lie_within_the_media_forbids_a_backup(site: Site) -> None:
    """A link that is turned after the policy was read is seen."""
    _add_media(site, site.folder / "media")
    environment = site.environment()
    site.store_folder.rmdir()
    (site.folder / "media" / "backups").mkdir()
    site.store_folder.symlink_to(site.folder / "media" / "backups")
    found = _named(check_store(environment))["place"]
    assert (found.verdict, found.is_blocking) == ("failed", True)


def test_the_same_device_is_a_warning(site: Site) -> None:
    """As in development, where it is meant so."""
    _add_media(site, site.folder / "media")
    found = _named(check_store(site.environment()))["device"]
    assert (found.verdict, found.is_blocking) == ("warning", False)
    assert "media" in found.text


def test_a_database_on_this_machine_is_a_warning(site: Site) -> None:
    """Its loss takes both."""
    site.variables["AIRFLOW_CONN_SHOP_DB"] = "postgresql://nobody@127.0.0.1:1/none"
    assert "database" in _named(check_store(site.environment()))["device"].text


@pytest.mark.parametrize("scheme", ["az", "abfs"])
def test_other_providers_are_not_looked_at(site: Site, scheme: str) -> None:
    """And that is said."""
    site.variables["AIRFLOW_CONN_SHOP_STORE"] = '{"conn_type": "wasb", "login": "account", "password": "a2V5"}'
    site.edit_policy(f'"file://{site.store_folder}", conn_id: null', f'"{scheme}://container/x", conn_id: shop_store')
    for found in (check_store(site.environment()), apply_store(site.environment())):
        assert [check.verdict for check in found] == ["warning"]
        assert f"{scheme}://" in found[0].text


def test_the_command_line_tells_and_mends(site: Site) -> None:
    """Exit status 1 while anything has failed."""
    site.store_folder.chmod(0o755)
    policy = str(site.policy_file)
    found = site.json("store", "check", policy, "production", expect=1)
    assert {"name", "verdict", "text", "hint"} == set(found["checks"][0])
    shown = site.run("store", "check", policy, "production", expect=1).stdout.decode()
    assert "✗ folder: " in shown
    assert "holdfast store apply" in shown
    mended = site.json("store", "apply", policy, "production")
    assert mended["checks"][0]["text"].startswith("mended: ")
    assert site.run("store", "check", policy, "production").stdout.decode().startswith("✓ folder: ")
