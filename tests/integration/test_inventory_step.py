"""The configuration inventory in a restore point: encrypted, with its drift in the manifest, step by step and whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from fix_environment import MakeSite, Site
from holdfast.backup import commit_manifest, dump_database, open_restore_point, record_inventory, verify_list
from holdfast.environment import Environment
from holdfast.errors import InventoryError, PermanentError

INVENTORY = """\
variables:
  - {name: DATABASE_URL, area: database, owner: Platform, rotated_by: [DBA], kept_in: Vault, rotate_by: 2026-11-22}
  - {name: SMTP_PASSWORD, area: smtp, owner: Support, rotated_by: [DevOps], kept_in: Vault kv/smtp}
  - {name: OLD_FLAG, area: other, owner: Platform}
"""
ENV = "DATABASE_URL=postgres://app:hunter2@db/x\nexport SMTP_PASSWORD='canary\n NEWLINE=canary'\nNEW_KEY=canary\n"


@pytest.fixture
def site(make_database: Callable[..., str], make_site: MakeSite) -> Site:
    """A site with an inventory that has drifted."""
    made = make_site(make_database("CREATE TABLE t (x int)"))
    (made.folder / "shop.inventory.yaml").write_text(INVENTORY)
    (made.folder / "app.env").write_text(ENV)
    section = "    inventory: {file: shop.inventory.yaml, names_from: app.env}\n    tiers:\n"
    made.edit_policy("    tiers:\n", section)
    return made


def _manifest(site: Site, id: str) -> dict[str, Any]:
    path = site.store_folder / "shop/production/restore-points" / id / "manifest.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_backup_holds_inventory_and_drift(site: Site) -> None:
    """The artifact is encrypted, verified and fetched like the others; the manifest tells the drift."""
    id = site.backup()
    manifest = _manifest(site, id)
    assert manifest["inventory"]["variables"] == 3
    drift = manifest["inventory"]["drift"]
    assert (drift["missing"], drift["undocumented"], drift["unread"]) == (["OLD_FLAG"], ["NEW_KEY"], None)
    assert "inventory.json.age" in [artifact["name"] for artifact in manifest["artifacts"]]
    assert site.json("verify", str(site.policy_file), "production", id)["ok"]
    plain = json.loads(site.run("fetch", str(site.policy_file), "production", id, "inventory.json").stdout)
    assert plain["variables"][0]["kept_in"] == "Vault"
    assert not [name for name in site.stored_files() if "draft" in name]


def test_check_tells_drift_and_faults_by_status(site: Site) -> None:
    """0 where all is well, 1 for drift, 2 for a fault in the file; the same in JSON."""
    arguments = ("inventory", "check", str(site.policy_file), "production")
    found = site.json(*arguments, expect=1)
    assert (found["variables"], found["missing"], found["undocumented"]) == (3, ["OLD_FLAG"], ["NEW_KEY"])
    assert (found["ok"], found["compared"], found["unread"]) == (False, True, None)
    assert b"NEW_KEY: undocumented" in site.run(*arguments, expect=1).stdout
    (site.folder / "app.env").write_text("DATABASE_URL=\nSMTP_PASSWORD=\nOLD_FLAG=\n")
    (site.folder / "shop.inventory.yaml").write_text(INVENTORY.replace("2026-11-22", "2999-01-01"))
    assert site.json(*arguments)["ok"]
    (site.folder / "app.env").unlink()
    assert site.json(*arguments, expect=1)["unread"] == "there is no such file on this host"
    (site.folder / "shop.inventory.yaml").write_text(INVENTORY.replace("owner: Support", "value: hunter2"))
    refused = site.json(*arguments, expect=2)
    assert "line 3: variable SMTP_PASSWORD: value: values are refused" in refused["error"]
    assert "hunter2" not in json.dumps(refused)


def test_doctor_looks_at_the_inventory(site: Site) -> None:
    """Drift is a warning, a fault a failure."""
    (check,) = [one for one in _doctor(site, 0) if one["name"] == "inventory"]
    assert check["verdict"] == "warning"
    assert "1 undocumented: NEW_KEY" in check["text"]
    (site.folder / "shop.inventory.yaml").write_text("variables: 3")
    (check,) = [one for one in _doctor(site, 1) if one["name"] == "inventory"]
    assert check["verdict"] == "failed"


def _doctor(site: Site, status: int) -> list[dict[str, str]]:
    found: list[dict[str, str]] = site.json("doctor", str(site.policy_file), "production", expect=status)["checks"]
    return found


@pytest.mark.parametrize(
    ("moment", "is_overdue"), [("2026-11-22T23:30+00:00", True), ("2026-11-22T22:30+00:00", False)]
)
def test_overdue_goes_by_the_environments_day(site: Site, moment: str, is_overdue: bool) -> None:
    """In Berlin it is the 23rd half an hour after the first moment's midnight, and not yet at the second."""
    site.edit_policy("    database:", "    timezone: Europe/Berlin\n    database:")
    environment = replace(site.environment(), clock=lambda: datetime.fromisoformat(moment))
    assert record_inventory(environment, _opened(environment)).overdue == int(is_overdue)


def test_steps_run_again_and_in_any_state(site: Site) -> None:
    """Again after it finished: nothing changes. After a kill in between: stored anew. The dump leaves it alone."""
    environment = site.environment()
    id = _opened(environment)
    first = record_inventory(environment, id)
    stored = _stored(site)
    assert record_inventory(environment, id).as_json() | {"seconds": 0} == first.as_json() | {"seconds": 0}
    assert _stored(site) == stored
    environment.store.delete(environment.keys.draft(id, "inventory"))
    record_inventory(environment, id)
    assert _stored(site) != stored
    stored = _stored(site)
    dump_database(environment, id)
    environment.store.delete(environment.keys.draft(id, "dump"))
    dump_database(environment, id)
    assert _stored(site) == stored
    verify_list(environment, id)
    commit_manifest(environment, id)
    assert record_inventory(environment, id).undocumented == 1
    assert first.as_json()["variables"] == 3


def test_missing_step_stops_the_manifest(site: Site) -> None:
    """Without the inventory that the policy asks for, no restore point appears."""
    environment = site.environment()
    id = _opened(environment)
    dump_database(environment, id)
    with pytest.raises(PermanentError, match="the step inventory has left no draft"):
        verify_list(environment, id)


def test_fault_in_the_file_stores_nothing(site: Site) -> None:
    """The step and the whole backup fail clearly; the database is not even asked."""
    environment = site.environment()
    id = _opened(environment)
    (site.folder / "shop.inventory.yaml").write_text(INVENTORY + "    value: hunter2\n")
    with pytest.raises(InventoryError) as caught:
        record_inventory(environment, id)
    assert "hunter2" not in str(caught.value)
    assert [name for name in site.stored_files() if "inventory" in name] == []
    before = site.stored_files()
    done = site.run("backup", str(site.policy_file), "production", "nightly", expect=2)
    assert b"shop.inventory.yaml" in done.stderr
    assert site.stored_files() == before


def test_unreadable_env_file_is_recorded(site: Site) -> None:
    """It fails nothing: the manifest says why nothing was compared."""
    (site.folder / "app.env").write_text("A='open canary")
    drift = _manifest(site, site.backup())["inventory"]["drift"]
    assert drift["unread"] == "line 1: the value's quotes are not closed as they should be"
    assert (drift["is_compared"], drift["missing"], drift["undocumented"]) == (False, [], [])


def _opened(environment: Environment) -> Any:
    return open_restore_point(environment, tier="nightly", opened_at=datetime(2026, 11, 22, tzinfo=UTC), origin="x")


def _stored(site: Site) -> bytes:
    (path,) = site.store_folder.rglob("inventory.json.age")
    return path.read_bytes()
