"""Inventory files are read strictly; values are refused however they are smuggled in, and never repeated."""

from __future__ import annotations

import os
import re
import traceback
from datetime import date
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import InventoryError
from holdfast.inventory import EnvNames, Inventory, drift_of, load_inventory
from holdfast.inventory.model import Area

PROJECT = Path(__file__).parents[2]

GOOD = """\
variables:
  - name: DATABASE_URL
    area: database
    owner: Platform team
    rotated_by: [DBA, DevOps]
    kept_in: AWS Secrets Manager, coursepedia/production/database
    rotate_by: 2027-03-01
    note: rotate together with the role
  - {name: NODE_ENV, area: other, owner: Platform team}
  - {name: SMTP_PASSWORD, area: SMTP, owner: Support, rotated_by: [ops@example.com], kept_in: Vault kv/smtp}
"""
CANARY = "hunter2Canary"


def _write(folder: Path, text: str) -> Path:
    path = folder / "shop.inventory.yaml"
    path.write_text(text)
    return path


def _refused(path: Path) -> InventoryError:
    with pytest.raises(InventoryError) as caught:
        load_inventory(path)
    shown = "".join(traceback.format_exception(caught.value))
    assert CANARY not in shown
    assert CANARY.lower() not in shown.lower()
    assert str(path) in str(caught.value)
    return caught.value


def test_good_inventory_is_read_and_written(tmp_path: Path) -> None:
    """Fields are values; what is stored reads back as the same variables."""
    inventory = load_inventory(_write(tmp_path, GOOD))
    first, second, third = inventory.variables
    assert (first.rotated_by, first.rotate_by) == (("DBA", "DevOps"), date(2027, 3, 1))
    assert (second.rotated_by, second.kept_in) == ((), None)
    assert third.area == "smtp"
    assert b'"format": "holdfast-inventory/1"' in inventory.encode()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("    owner:", "    ownr:", "line 4: variable DATABASE_URL: ownr: unknown field (did you mean owner?)"),
        ("    owner: Platform team\n", "", "line 2: variable DATABASE_URL: owner: is missing"),
        ("area: database", "area: databse", "line 3: variable DATABASE_URL: area: input should be 'database'"),
        ("2027-03-01", "2027-13-01", "line 7: looks like a date or number and is none: month must be in 1..12"),
        ("2027-03-01", "20270301", "rotate_by: expected a date such as 2027-01-31"),
        ("[DBA, DevOps]", "DBA", "line 5: variable DATABASE_URL: rotated_by"),
        ("    rotated_by: [DBA, DevOps]\n", "", "rotated_by is missing: say who can rotate this database variable"),
        (", kept_in: Vault kv/smtp", "", "kept_in is missing: say where the secret of this smtp variable lives"),
        ("NODE_ENV", "DATABASE_URL", "named more than once: DATABASE_URL"),
        ("name: NODE_ENV", "name: NODE ENV", "line 9: variable number 2: name: "),
        ("variables:", "vars:", "variables: is missing"),
        ("    area: database\n", "    area: database\n    area: database\n", "line 4: field … stands twice"),
        (GOOD, "variables: []", "line 1: variables: expected at least one entry, found none"),
        (GOOD, "variables: [", "line 1: expected the node content, but found '<stream end>'"),
        (GOOD, "variables: [a", "line 1: expected ',' or ']', but got '<stream end>'"),
        (GOOD, "", "expected the field variables, found none"),
        (GOOD, "- a", "expected the field variables"),
        (GOOD, "variables: [", "line 1: "),
        (GOOD, "variables: &a [*a]", ""),
        (GOOD, "{a: " * 3000, "nested too deeply"),
        (GOOD, "variables: !!python/object:os.system x", "could not determine a constructor"),
        ("Support", "\x00", ""),
    ],
)
def test_each_fault_is_named(tmp_path: Path, old: str, new: str, expected: str) -> None:
    """File, line, variable and reason."""
    assert old in GOOD
    assert expected in str(_refused(_write(tmp_path, GOOD.replace(old, new, 1))))


@pytest.mark.parametrize(
    "smuggled",
    [
        f"    value: {CANARY}\n",
        f"    Value: {CANARY}\n",
        f"    secret_value: [{CANARY}]\n",
        f"    password: {CANARY}\n",
        f"    default: {CANARY}\n",
        f"    {CANARY}: x\n",
        f"    ? [{CANARY}]\n    : x\n",
        f"    note: DATABASE_PASSWORD={CANARY}\n",
        f"    note: the password is {CANARY}\n",
        f"    # password: {CANARY}\n",
        f"    note: postgres://app:{CANARY}@db/shop\n",
        f"    note: sk_live_{CANARY}\n",
        f'    note: "sk_\\x6cive_{CANARY}"\n',
        f"    note: >-\n      postgres://app:{CANARY}@\\\n      db/shop?password={CANARY}\n",
        f'    note: "ghp_\\\n      {CANARY}"\n',
        f"    note: *{CANARY}\n",
        f"    note: !{CANARY} x\n",
        f"    note: {{password: {CANARY}}}\n",
        f"    note: [{CANARY}]\n",
        f"    rotated_by: [DBA, AKIAIOSFODNN7EXAMPLE, {CANARY}]\n",
        f"    kept_in: 'AGE-SECRET-KEY-1{CANARY.upper()}'\n",
        f"    area: {CANARY}\n",
        f"    rotate_by: {CANARY}\n",
        "    note: |\n      -----BEGIN PRIVATE KEY-----\n      " + CANARY + "\n      -----END PRIVATE KEY-----\n",
    ],
)
def test_smuggled_values_are_refused_and_not_repeated(tmp_path: Path, smuggled: str) -> None:
    """As a field of any name, in any string, key, tag, alias or comment, escaped or over several lines."""
    text = GOOD.replace("    note: rotate together with the role\n", "")
    for field in ("rotated_by", "kept_in", "area", "rotate_by"):
        if f"    {field}:" in smuggled:
            text = "".join(line for line in text.splitlines(True) if not line.startswith(f"    {field}:"))
    place = "    owner: Platform team\n"
    _refused(_write(tmp_path, text.replace(place, place + smuggled, 1)))


@pytest.mark.parametrize("app", ["coursepedia", "campustrack"])
def test_examples_are_inventories_of_every_area(app: str) -> None:
    """What a new user copies is sound, and shows each kind of variable."""
    inventory = load_inventory(PROJECT / "dags" / f"{app}.inventory.yaml")
    assert {variable.area for variable in inventory.variables} == set(get_args(Area))


def test_example_on_the_policy_page_is_one(tmp_path: Path) -> None:
    """The inventory on the page loads as it stands there."""
    text = (PROJECT / "docs" / "policy.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```yaml\n(variables:.*?)```", text, re.DOTALL)
    assert len(load_inventory(_write(tmp_path, example)).variables) == 2


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    """A directory, bytes of no encoding, nothing, too much."""
    assert "is a directory" in str(_refused(tmp_path))
    assert "no such file" in str(_refused(tmp_path / "nowhere"))
    os.mkfifo(tmp_path / "pipe")
    assert "no regular file" in str(_refused(tmp_path / "pipe"))
    assert "no such file" in str(_refused(tmp_path / "nowhere.yaml"))
    path = tmp_path / "x.yaml"
    path.write_bytes(b"variables: \xff")
    assert "not UTF-8" in str(_refused(path))
    path.write_bytes(b"#\n" * (3 << 20))
    assert "larger than" in str(_refused(path))


def test_fault_of_an_entry_is_told_alone(tmp_path: Path) -> None:
    """Nothing is said of a list without entries where the one entry has a fault."""
    told = str(_refused(_write(tmp_path, "variables:\n  - {name: A, area: other}\n")))
    assert told.endswith("line 2: variable A: owner: is missing")


def test_loops_of_aliases_end(tmp_path: Path) -> None:
    """A file that would grow a billionfold is refused at once."""
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 12))
    _refused(_write(tmp_path, f"l0: &l0 [x]\n{levels}variables: *l11\n"))


names = st.frozensets(st.from_regex(r"[A-Z]{1,4}", fullmatch=True), max_size=8)


@given(names.filter(bool), names, st.dates(), st.dates())
def test_drift_is_the_difference(
    documented: frozenset[str], found: frozenset[str], rotate_by: date, today: date
) -> None:
    """Every name is shared, missing or undocumented; due on its day, overdue the day after."""
    variables = [{"name": name, "area": "other", "owner": "x", "rotate_by": rotate_by} for name in sorted(documented)]
    inventory = Inventory.model_validate({"variables": variables})
    drift = drift_of(inventory, EnvNames(found), today)
    assert set(drift.missing) == documented - found
    assert set(drift.undocumented) == found - documented
    assert set(drift.overdue) == (documented if today > rotate_by else set())
    assert drift.is_clean == (documented == found and today <= rotate_by)
    for env in (None, EnvNames(frozenset(), "gone")):
        unread = drift_of(inventory, env, today)
        assert (unread.missing, unread.undocumented, unread.overdue) == ((), (), drift.overdue)
        assert unread.unread == (env.unread if env else None)
