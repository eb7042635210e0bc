"""``holdfast rows``, ``undo-rows`` and ``tables`` as on-call calls them: plan, hash, people, and what came of it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from audit_trail import told
from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.evidence import read_evidence
from holdfast.values.ids import RestorePointId

_TABLES = """
CREATE TABLE "User" (id text PRIMARY KEY, email text UNIQUE, "invitedBy" text REFERENCES "User");
INSERT INTO "User" VALUES ('u1', 'a@example.com', NULL), ('u2', 'b@example.com', 'u1'), ('u3', 'c@example.com', 'u2');
CREATE TABLE "StudentProfile" (id int PRIMARY KEY, "userId" text NOT NULL REFERENCES "User");
INSERT INTO "StudentProfile" VALUES (1, 'u1'), (2, 'u2'), (3, 'u3');
"""
_PEOPLE = ("--i-am", "ana", "--approved-by", "bo", "--reason", "deleted by mistake")


@pytest.fixture
def site(make_site: MakeSite, make_database: Callable[..., str]) -> Site:
    """A campus with one restore point; since then two users are gone, and one has another address."""
    url = make_database(_TABLES)
    site = make_site(url)
    site.variables["POINT"] = site.backup()
    execute(url, """DELETE FROM "StudentProfile" WHERE id > 1; DELETE FROM "User" WHERE id IN ('u2', 'u3')""")
    execute(url, """UPDATE "User" SET email = 'new@example.com' WHERE id = 'u1'""")
    return site


def _on(site: Site, command: str, *more: str) -> tuple[str, ...]:
    return (command, str(site.policy_file), "production", *more)


def _users(site: Site) -> dict[str, str]:
    with psycopg.connect(site.variables["AIRFLOW_CONN_SHOP_DB"]) as session:
        return dict(session.execute('SELECT id, email FROM "User"').fetchall())


def test_rows_with_what_they_refer_to(site: Site) -> None:
    """The profile comes back with its user and the one who invited him; undone, all three are gone again."""
    stored = site.stored_files()
    asked = _on(site, "rows", site.variables["POINT"], "--table", 'public."StudentProfile"', "--key", "id=3")
    plan = site.json(*asked)
    assert (plan["possible"], site.stored_files(), set(_users(site))) == (True, stored, {"u1"})
    done = site.json(*asked, "--apply", plan["plan"], *_PEOPLE)
    assert (done["verdict"], done["findings"]) == ("passed", [])
    assert _users(site) == {"u1": "new@example.com", "u2": "b@example.com", "u3": "c@example.com"}
    evidence = read_evidence(site.environment(), RestorePointId.parse(done["operation"]))
    assert ([each.approver for each in evidence.approvals], evidence.reason) == (["bo"], "deleted by mistake")
    triggered, approved, changed = (each for each in told(site.environment()) if done["operation"] in each.subject)
    assert [each.action for each in (triggered, approved, changed)] == ["triggered", "approved", "changed"]
    assert (triggered.details["by"], approved.who, changed.details["step"]) == ("ana", "bo", "apply")
    assert {each.via for each in (triggered, approved, changed)} == {"cli"}
    assert "a@example.com" not in "".join(each.model_dump_json() for each in told(site.environment()))

    undo = _on(site, "undo-rows", done["operation"])
    undone = site.json(*undo, "--apply", site.json(*undo)["plan"], *_PEOPLE)
    assert (undone["verdict"], set(_users(site))) == ("passed", {"u1"})


def test_stale_plan_of_rows(site: Site) -> None:
    """Somebody brought one of the rows back meanwhile: refused, and nothing more is inserted."""
    asked = _on(site, "rows", site.variables["POINT"], "--table", "StudentProfile", "--where", "id > 1")
    plan = site.json(*asked)["plan"]
    execute(site.variables["AIRFLOW_CONN_SHOP_DB"], """INSERT INTO "User" VALUES ('u2', 'b@example.com', 'u1')""")
    stored = site.stored_files()
    refused = site.json(*asked, "--apply", plan, *_PEOPLE, expect=1)
    assert "Nothing was changed" in refused["hint"]
    assert (set(_users(site)), site.stored_files()) == ({"u1", "u2"}, stored)
    foreign = site.json(*asked[:-1], "id = 3")["plan"]
    assert "Nothing was changed" in site.json(*asked, "--apply", foreign, *_PEOPLE, expect=1)["hint"]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--table", "User", "--key", "id=nobody"), 1),
        (("--table", "Users", "--key", "id=u2"), 2),
        (("--table", 'public."User"; DROP TABLE "User"', "--key", "id=u2"), 2),
        (("--table", "User", "--key", "nothing=u2"), 2),
        (("--table", "User", "--key", "id"), 2),
        (("--table", "User", "--where", 'true; DELETE FROM "User"'), 2),
        (("--table", "User", "--where", "true) OR (true"), 2),
        (("--table", "User"), 2),
        (("--table", "User", "--key", "id=u2", "--where", "true"), 2),
    ],
)
def test_rows_of_wrong_input(site: Site, arguments: tuple[str, ...], status: int) -> None:
    """Said in a sentence, never a traceback, and nothing is changed."""
    done = site.run(*_on(site, "rows", site.variables["POINT"], *arguments), expect=None)
    assert done.returncode in {status, 1}, (done.stdout, done.stderr)
    assert b"fault in holdfast" not in done.stderr
    assert set(_users(site)) == {"u1"}


def test_tables_merged_and_replaced(site: Site) -> None:
    """Merge brings back what is missing and changed and leaves what only live has; replace leaves nothing else."""
    execute(site.variables["AIRFLOW_CONN_SHOP_DB"], """INSERT INTO "User" VALUES ('u9', 'z@example.com', 'u1')""")
    both = ("--table", 'public."User"', "--table", "StudentProfile")
    merge = _on(site, "tables", site.variables["POINT"], *both, "--mode", "merge")
    done = site.json(*merge, "--apply", site.json(*merge)["plan"], *_PEOPLE)
    assert done["verdict"] == "passed"
    assert _users(site) == {
        "u1": "a@example.com", "u2": "b@example.com", "u3": "c@example.com", "u9": "z@example.com",
    }  # fmt: skip
    replace = _on(site, "tables", site.variables["POINT"], *both)
    plan = site.json(*replace)
    assert plan["plan"] != site.json(*merge)["plan"]
    done = site.json(*replace, "--apply", plan["plan"], *_PEOPLE)
    assert (done["verdict"], set(_users(site))) == ("passed", {"u1", "u2", "u3"})
    kept = [name for name in site.stored_files() if "previous" in name]
    assert kept
    assert all(name.endswith(".age") for name in kept)


def test_tables_that_do_not_differ(site: Site) -> None:
    """Nothing to do is said, and no step writes anything."""
    both = ("--table", "User", "--table", "StudentProfile")
    replace = _on(site, "tables", site.variables["POINT"], *both)
    site.json(*replace, "--apply", site.json(*replace)["plan"], *_PEOPLE)
    plan = site.json(*replace)
    assert plan["facts"]["rows to write"] == 0
    again = site.json(*replace, "--apply", plan["plan"], *_PEOPLE)
    evidence = read_evidence(site.environment(), RestorePointId.parse(again["operation"]))
    assert [step.name for step in evidence.steps] == ["plan"]


def test_what_was_kept_is_verified(site: Site) -> None:
    """The record to undo rows with, and the rows that a table's replacement took away: altered or gone, it is said."""
    rows = _on(site, "rows", site.variables["POINT"], "--table", "StudentProfile", "--key", "id=3")
    first = site.json(*rows, "--apply", site.json(*rows)["plan"], *_PEOPLE)["operation"]
    tables = _on(site, "tables", site.variables["POINT"], "--table", "User", "--table", "StudentProfile")
    second = site.json(*tables, "--apply", site.json(*tables)["plan"], *_PEOPLE)["operation"]
    assert site.json("evidence", "verify", str(site.policy_file), "production")["ok"] is True
    for operation, pattern in ((first, "rows.jsonl.age"), (first, "rows.json"), (second, "previous-*.age")):
        path = next(site.store_folder.rglob(f"{operation}/{pattern}"))
        content = path.read_bytes()
        for wrong in (content[:-1], None):
            path.unlink()
            if wrong is not None:
                path.write_bytes(wrong)
            found = site.json("evidence", "verify", str(site.policy_file), "production", operation, expect=1)
            assert path.name in str(found) or "record of the rows" in str(found), (pattern, wrong is None)
            path.write_bytes(content)
    assert site.json("evidence", "verify", str(site.policy_file), "production")["ok"] is True
