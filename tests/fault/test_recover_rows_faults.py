"""Rows are asked for by people who mean harm, in tables that are in use, by workers that are killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from fix_environment import PROJECT
from fix_postgres import execute
from fix_recovery import recovery_root_for_tests
from holdfast.errors import DatabaseUnavailable, IntegrityError, SignatureError, UsageError
from holdfast.operation.rows import RowsRequest, asking, plan_undo_rows, writing
from holdfast.operation.rows.texts import Row
from holdfast.operation.scratch import scratch
from holdfast.postgres.conninfo import Target
from holdfast.postgres.relations import QualifiedName, Relation
from holdfast.postgres.session import Session, connect
from holdfast.progress import Silent
from holdfast.recovery import Recovery
from holdfast.recovery.cluster import Cluster
from holdfast.restore.bare import bare_restore
from recover_rows import Shop, make_shop, operation

_KILLED = """
import os, signal, sys
sys.path[:0] = [{include!r}, {tests!r}]
from pathlib import Path
from fix_environment import Site
from recover_rows import Shop, operation
from holdfast.operation.rows import applying
from holdfast.progress import Silent
from holdfast.values.ids import RestorePointId

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

class Deadly(Silent):
    phase = ""
    def begin(self, phase, total_bytes=None):
        self.phase = phase
    def end(self, outcome=""):
        if self.phase == "apply":
            die()

folder = Path({folder!r})
site = Site(folder, folder / "shop.yaml", folder / "keys", folder / "store", {{"AIRFLOW_CONN_SHOP_DB": {url!r}}})
shop = Shop(site, {url!r}, RestorePointId.parse({point!r}))
when = sys.argv[1]
if when == "before writing":
    applying._write = die
applying.apply_rows(
    shop.environment, operation(when), shop.point, shop.request("many", ("id", "3"), ("id", "4")),
    demand=lambda plan: None,
    progress=Deadly() if when == "after the commit" else Silent(),
)
"""


@pytest.fixture(scope="module")
def shop(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One restore point for all tests."""
    url = pg18.create_database("recover_rows_faults")
    with pytest.MonkeyPatch.context() as patch, recovery_root_for_tests() as root:
        patch.setenv("HOLDFAST_RECOVERY", str(root))
        yield make_shop(tmp_path_factory.mktemp("faulty"), url)
    execute(pg18.url(), "DROP DATABASE recover_rows_faults WITH (FORCE)")


@pytest.mark.parametrize(
    "predicate",
    [
        "true) OR (true",
        "true); DROP TABLE many; --",
        "id = 1 -- comment",
        "id = 1 /* comment */",
        "note = 'open",
        "(id = 1",
        "",
    ],
)
def test_refuses_predicates_that_leave_their_parentheses(shop: Shop, predicate: str) -> None:
    """Seen without any database."""
    with pytest.raises(UsageError, match="condition: "):
        shop.plan("many", predicate=predicate)


def test_predicates_can_do_nothing_but_choose(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No writing, no file, no other role, no endless work; too many rows are refused."""
    written = tmp_path / "written"
    tried = {
        "id = 1 UNION SELECT 2": "syntax error",
        "id": "must be type boolean",
        "nothing = 1": "does not exist",
        f"lo_export(lo_from_bytea(0, 'x'), '{written}') = 1": "read-only transaction|permission denied",
        "set_config('role', 'holdfast_restore', true) = ''": "permission denied|must be",
        "pg_read_file('/etc/passwd') <> ''": "permission denied",
    }
    many = QualifiedName("public", "many")
    with (
        scratch(shop.environment, shop.point, "predicates") as recovery,
        bare_restore(shop.environment, shop.point, recovery, progress=Silent()) as bare,
        connect(bare.target) as session,
    ):
        bare.define([many])
        bare.load(session, many)
        recovery.hand_over()
        relation = replace(bare.relations[many], primary_key=("id",))
        for predicate, refusal in tried.items():
            with pytest.raises(UsageError, match=refusal):
                _rows(session, recovery, relation, shop.request("many", predicate=predicate))
        request = shop.request("many", predicate="id > 19998 OR note = '%s {0}'", limit=2)
        assert len(_rows(session, recovery, relation, request)) == 2
        everything = shop.request("many", predicate="id IN (SELECT generate_series(1, 1000000))", limit=50)
        assert len(_rows(session, recovery, relation, everything)) == 51
        monkeypatch.setattr(asking, "_PREDICATE_S", 1)
        with pytest.raises(UsageError, match="takes longer than 1 s"):
            _rows(session, recovery, relation, shop.request("many", predicate="pg_sleep(3) IS NOT NULL"))
    assert not written.exists()
    monkeypatch.setattr(asking, "_PREDICATE_S", 60)
    with pytest.raises(UsageError, match="more than 10000 rows fit"):
        shop.plan("many", predicate="true")


def _rows(session: Session, recovery: Recovery, relation: Relation, request: RowsRequest) -> list[Row]:
    return asking.rows_by_predicate(session, Target.parse(recovery.application_url), relation, request)


def test_names_and_values_are_never_sql(shop: Shop) -> None:
    """What is no table or column is refused; a value is compared, whatever it looks like."""
    before = shop.all_of("course")
    evil = "x'; DROP TABLE course; --"
    for table in (evil, f'"{evil}"', "course; DROP TABLE course", "course WHERE true", 'public."course" x'):
        with pytest.raises(UsageError, match="table "):
            shop.plan(table, ("id", "1"))
    with pytest.raises(UsageError, match="no such column"):
        shop.plan("course", ('id" = "id" OR "id', "1"))
    with pytest.raises(UsageError, match="key teacher: invalid input syntax"):
        shop.plan("course", ("teacher", "1 OR true"))
    plan = shop.plan("course", ("id", evil), ("id", "`evil`\n# heading"), ("id", "%s {0}"))
    assert plan.faults == ("nothing to do: no row of the restore point fits",)
    assert "\n# heading" not in plan.body
    assert shop.all_of("course") == before


@pytest.mark.parametrize("when", ["before writing", "after the commit"])
def test_a_killed_worker_leaves_all_or_nothing_and_the_next_converges(shop: Shop, when: str) -> None:
    """Whatever was left, the second attempt ends with the rows there once, and they can be taken back."""
    shop.run("DELETE FROM many WHERE id IN (3, 4)")
    program = _KILLED.format(
        include=str(PROJECT / "include"), tests=str(PROJECT / "tests"), folder=str(shop.site.folder), url=shop.url,
        point=str(shop.point),
    )  # fmt: skip
    killed = subprocess.run([sys.executable, "-c", program, when], capture_output=True, timeout=120, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    there = shop.rows("SELECT count(*) FROM many WHERE id IN (3, 4)")
    assert there == [(2 if when == "after the commit" else 0,)]
    outcome = shop.recover(when, "many", ("id", "3"), ("id", "4"))
    assert outcome.facts["rows inserted"] == 2
    assert bool(outcome.notes) == (when == "after the commit")
    assert shop.rows("SELECT note FROM many WHERE id IN (3, 4) ORDER BY id") == [("note 3",), ("note 4",)]
    assert shop.undo(when).facts["rows deleted"] == 2
    shop.run("INSERT INTO many VALUES (3, 'note 3'), (4, 'note 4')")


def test_gives_up_where_a_table_is_in_use(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for long behind it, and nothing is changed."""
    monkeypatch.setattr(writing, "_LOCK_S", 1)
    shop.run("DELETE FROM many WHERE id = 7")
    with psycopg.connect(shop.url) as other:
        other.execute("UPDATE many SET note = note WHERE id = 8")
        with pytest.raises(DatabaseUnavailable, match=r"table public\.many: another transaction"):
            shop.recover("in use", "many", ("id", "7"))
    assert shop.rows("SELECT count(*) FROM many WHERE id = 7") == [(0,)]


def test_takes_back_nothing_by_a_record_that_is_not_ours(shop: Shop) -> None:
    """Who can write to the store cannot have rows deleted."""
    shop.run("DELETE FROM many WHERE id = 9")
    shop.recover("forged", "many", ("id", "9"))
    folder = shop.site.store_folder / f"shop/production/evidence/{operation('forged')}"
    assert b"note 9" not in (folder / "rows.jsonl.age").read_bytes()
    (folder / "rows.jsonl.age").chmod(0o600)
    (folder / "rows.jsonl.age").write_bytes((folder / "rows.jsonl.age").read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="sha256 mismatch"):
        plan_undo_rows(shop.environment, operation("forged"))
    (folder / "rows.json").write_bytes((folder / "rows.json").read_bytes().replace(b'"inserted": 1', b'"inserted": 2'))
    with pytest.raises(SignatureError):
        plan_undo_rows(shop.environment, operation("forged"))
    with pytest.raises(UsageError, match="has written no rows"):
        plan_undo_rows(shop.environment, operation("nobody"))
