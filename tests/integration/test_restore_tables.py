"""Restoring tables, whole: planned, demanded, applied to a live database, and what that leaves in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fix_environment import MakeSite, Site
from fix_postgres import execute, rows
from holdfast.crypto import age
from holdfast.environment import Environment
from holdfast.errors import ApprovalError, UsageError
from holdfast.operation.plans import Plan
from holdfast.operation.tables import TablesRequest, apply_tables, plan_tables
from holdfast.postgres.outer_zstd import decompressed
from holdfast.values.ids import RestorePointId

_TABLES = """
CREATE TYPE mood AS ENUM ('fine', 'bad');
CREATE TABLE "User" (id serial PRIMARY KEY, email text UNIQUE, mood mood, boss int REFERENCES "User",
                     shout text GENERATED ALWAYS AS (upper(email)) STORED);
CREATE TABLE "Order" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, buyer int NOT NULL REFERENCES "User",
                      note text);
CREATE TABLE log (line text, n int);
CREATE TABLE written (who text);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO written VALUES (tg_op);
    RETURN coalesce(new, old); END$$;
CREATE TRIGGER noted BEFORE INSERT OR UPDATE OR DELETE ON "User" FOR EACH ROW EXECUTE FUNCTION noted();
INSERT INTO "User" (email, mood, boss) SELECT 'u' || n, 'fine', nullif(n - 1, 0) FROM generate_series(1, 50) n;
INSERT INTO "Order" (buyer, note) SELECT n, E'a\\tb\\\\' || n FROM generate_series(1, 50) n;
INSERT INTO log SELECT 'same', 1 FROM generate_series(1, 3); INSERT INTO log VALUES (NULL, 2), ('', NULL);
TRUNCATE written;
"""
_USERS = 'SELECT id, email, mood::text, boss, shout FROM "User" ORDER BY id'
_ALL = (_USERS, 'SELECT * FROM "Order" ORDER BY id', "SELECT * FROM log ORDER BY 1, 2")


@pytest.fixture(autouse=True)
def recovery_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A root of its own, which must be empty again after every test."""
    root = tmp_path / "recovery"
    monkeypatch.setenv("HOLDFAST_RECOVERY", str(root))
    yield root
    assert [path.name for path in root.iterdir() if path.is_dir()] == [] if root.exists() else True


class Shop:
    """A live database with a restore point, and what on-call would do with it."""

    def __init__(self, url: str, site: Site) -> None:
        self.url = url
        self.site = site
        self.environment: Environment = site.environment()
        self.point = RestorePointId.parse(site.backup("snapshot"))
        self.operation = RestorePointId.parse("20261122T090000Z-restore_tables-4f9c2a")

    def plan(self, *tables: str, mode: str = "replace") -> Plan:
        return plan_tables(self.environment, self.point, TablesRequest.model_validate({"tables": tables, "mode": mode}))

    def apply(self, approved: Plan | None, *tables: str, mode: str = "replace") -> dict[str, object]:
        def demand(fresh: Plan) -> None:
            if approved is not None and fresh.sha256 != approved.sha256:
                raise ApprovalError("the plan has changed")

        request = TablesRequest.model_validate({"tables": tables, "mode": mode})
        return dict(apply_tables(self.environment, self.operation, self.point, request, demand=demand).facts)


@pytest.fixture
def shop(make_database: Callable[..., str], make_site: MakeSite) -> Shop:
    url = make_database(_TABLES)
    return Shop(url, make_site(url))


_EDITS = """
UPDATE "User" SET email = 'x' || id, mood = 'bad' WHERE id BETWEEN 10 AND 19;
UPDATE "User" SET email = 'x' WHERE id = 1; UPDATE "User" SET email = 'u1' WHERE id = 2;
UPDATE "User" SET email = 'u2' WHERE id = 1;
DELETE FROM "Order" WHERE id > 40; DELETE FROM "User" WHERE id = 50;
INSERT INTO "User" (id, email) VALUES (999, 'new'); INSERT INTO "Order" (buyer, note) VALUES (999, 'new');
DELETE FROM log WHERE n = 1; INSERT INTO log VALUES ('same', 1), ('more', 7);
TRUNCATE written;
"""


def test_replaced_tables_have_the_backups_rows_and_previous_ones_are_kept(shop: Shop) -> None:
    """Quoted names, a self-reference, an identity, a generated column, no key, and a trigger that stays quiet."""
    before = [rows(shop.url, query) for query in _ALL]
    execute(shop.url, _EDITS)
    stored = shop.site.stored_files()
    plan = shop.plan('public."User"', "Order", "log")
    assert plan.body == shop.plan("log", '"Order"', "User", '"User"').body
    assert plan.faults == ()
    assert shop.site.stored_files() == stored
    assert "- Only in live: `id=999`" in plan.body
    assert (plan.facts["rows to write"], plan.facts["rows equal"]) == (28, 80)
    facts = shop.apply(plan, '"User"', '"Order"', "log")
    assert [rows(shop.url, query) for query in _ALL] == before
    assert rows(shop.url, "TABLE written") == []
    # Sequences stay ahead of what is there.
    [(next_id,)] = rows(shop.url, "SELECT nextval(pg_get_serial_sequence('\"User\"', 'id'))")
    assert int(str(next_id)) > 50
    kept = _kept(shop, str(facts['public."User": previous rows']))
    assert kept[0] == "id\temail\tmood\tboss"
    assert "999\tnew\t\\N\t\\N" in kept
    assert len(kept) == 1 + 12 + 1
    # A task that was killed after its commit finds that all is done.
    again = shop.apply(plan, '"User"', '"Order"', "log")
    assert str(facts["public.log: previous rows"]) in again.values()


def test_merge_leaves_what_only_live_has(shop: Shop) -> None:
    """Rows that live lacks come back, changed ones get the backup's values; new rows make no plan stale."""
    users = rows(shop.url, _USERS)
    execute(shop.url, _EDITS)
    plan = shop.plan("User", mode="merge")
    execute(shop.url, "INSERT INTO \"User\" (id, email) VALUES (1000, 'newer')")
    facts = shop.apply(plan, "User", mode="merge")
    assert rows(shop.url, _USERS) == [*users, (999, "new", None, None, "NEW"), (1000, "newer", None, None, "NEWER")]
    assert facts['public."User": changed'] == 12
    assert shop.plan("User", mode="merge").facts["rows to write"] == 0


def test_a_plan_that_is_not_of_now_changes_nothing(shop: Shop) -> None:
    """Live changed after the approval; nothing differs; tables that are not there, or no names at all."""
    with pytest.raises(UsageError, match="nothing differs"):
        shop.apply(None, "log")
    execute(shop.url, _EDITS)
    plan = shop.plan("log", "Order")
    execute(shop.url, "UPDATE log SET line = 'once more' WHERE n = 7")
    found = [rows(shop.url, query) for query in _ALL]
    stored = shop.site.stored_files()
    with pytest.raises(ApprovalError):
        shop.apply(plan, "log", "Order")
    with pytest.raises(UsageError, match=r'cannot be done.*choose public."Order" too'):
        shop.apply(None, "User")
    for name in ("nowhere", 'log"; DROP TABLE log; --', "log; DELETE FROM log", "public.", ""):
        with pytest.raises(UsageError):
            shop.plan(name)
    assert [rows(shop.url, query) for query in _ALL] == found
    assert shop.site.stored_files() == stored


def _kept(shop: Shop, key: str) -> list[str]:
    environment = shop.environment
    sealed = environment.store.stream(key)
    return b"".join(decompressed(age.decrypt(sealed, environment.demand_identities()))).decode().splitlines()
