"""Rows are recovered from a restore point into live: what lacks, with what it refers to, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from fix_postgres import execute
from fix_recovery import recovery_root_for_tests
from holdfast.errors import ApprovalError, DatabaseError, UsageError
from holdfast.operation.rows import apply_rows, find_and_plan, plan_undo_rows
from holdfast.postgres.conninfo import Target
from holdfast.recovery.cluster import Cluster
from holdfast.recovery.url import url_of
from recover_rows import Shop, demand_same, make_shop, operation

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def shop(pg18: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One restore point for all tests; each harms rows of its own and finds them recovered."""
    url = pg18.create_database("recover_rows")
    with pytest.MonkeyPatch.context() as patch, recovery_root_for_tests() as root:
        patch.setenv("HOLDFAST_RECOVERY", str(root))
        yield make_shop(tmp_path_factory.mktemp("shop"), url)
        assert list(root.iterdir()) == []
    execute(pg18.url(), "DROP DATABASE recover_rows WITH (FORCE)")


def test_recovers_with_a_role_that_owns_nothing(shop: Shop) -> None:
    """It cannot keep triggers quiet, and the plan says so; what it may not write is refused as a whole."""
    shop.run("""CREATE ROLE rows_clerk LOGIN PASSWORD 'x'; GRANT SELECT, INSERT, UPDATE, DELETE ON "User" TO rows_clerk;
                GRANT SELECT ON ALL TABLES IN SCHEMA public TO rows_clerk; GRANT INSERT ON audit TO rows_clerk;
                GRANT SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public TO rows_clerk;
                DELETE FROM "a.b ""c" WHERE "User" = 40; DELETE FROM "User" WHERE id = 40; TRUNCATE audit""")
    shop.site.variables["AIRFLOW_CONN_SHOP_DB"] = url_of(
        Target.parse(shop.url).with_parameters(user="rows_clerk", password="x")
    )
    try:
        plan = shop.plan('"User"', ("id", "40"))
        assert 'triggers of `public."User"` **fire**' in plan.body
        shop.apply(plan, "clerk", shop.request('"User"', ("id", "40")))
        with pytest.raises(DatabaseError, match="permission denied"):
            shop.recover("clerk 2", '"a.b ""c"', ("User", "40"))
    finally:
        shop.site.variables["AIRFLOW_CONN_SHOP_DB"] = shop.url
    assert shop.rows("SELECT what FROM audit") == [("INSERT User",)]
    planned = find_and_plan(shop.environment, shop.point, shop.request('"a.b ""c"', ("User", "40")))
    apply_rows(
        shop.environment, operation("at once"), shop.point, planned.pool.request,
        demand=lambda fresh: demand_same(planned.plan, fresh), planned=planned,
    )  # fmt: skip
    assert shop.rows('SELECT count(*) FROM "a.b ""c" WHERE "User" = 40') == [(1,)]
    shop.run("DROP OWNED BY rows_clerk; DROP ROLE rows_clerk")


def test_recovers_rows_with_the_rows_they_refer_to(shop: Shop) -> None:
    """Parents come first, parents of parents too; every value is what it was, and nothing else has changed."""
    before = [shop.all_of(name) for name in ('"User"', "course", '"a.b ""c"')]
    shop.run("""DELETE FROM "a.b ""c" WHERE "User" IN (39, 40);
                DELETE FROM "User" WHERE id >= 39; TRUNCATE audit""")
    table, keys = 'public."a.b ""c"', [("User", "39"), ("User", "40")]
    plan = shop.plan(table, *keys)
    assert plan == shop.plan(table, *keys)
    assert plan.faults == ()
    assert plan.facts["rows to insert"] == 4
    assert plan.facts["of them parents"] == 2
    assert "User=39, course=course 4" in plan.body
    assert "line" not in plan.body.replace("lines", "")  # no contents
    assert 'triggers of `public."User"` do not fire' in plan.body
    done = shop.apply(plan, "parents", shop.request(table, *keys))
    assert done.facts == {"rows inserted": 4, "rows overwritten": 0}
    assert [shop.all_of(name) for name in ('"User"', "course", '"a.b ""c"')] == before
    assert shop.rows("SELECT count(*) FROM audit") == [(0,)]
    shop.run("""INSERT INTO "User" (email, "Role") VALUES ('new@example.org', 'student')""")
    assert shop.rows("SELECT count(*) FROM audit") == [(1,)]
    shop.run("""DELETE FROM "User" WHERE email = 'new@example.org'""")


def test_reports_conflicts_and_overwrites_only_when_asked(shop: Shop) -> None:
    """What live has otherwise is left alone, unless overwriting was chosen; then it can be taken back."""
    before = shop.all_of("course")
    shop.run(
        "UPDATE course SET title = 'new' WHERE id = 'course 1'; UPDATE course SET title = 'new' WHERE id = 'course 2'"
    )
    changed = shop.all_of("course")
    keys = [("id", "course 1"), ("id", "course 3"), ("id", "nothing")]
    reported = shop.plan("course", *keys)
    assert reported.facts["conflicts"] == 1
    assert "differs in `title`" in reported.body
    assert "not in the restore point: `id=nothing`" in reported.body
    with pytest.raises(UsageError, match="nothing to do"):
        shop.apply(reported, "report", shop.request("course", *keys))
    done = shop.recover("overwrite", "course", *keys, ("id", "course 2"), conflicts="overwrite")
    assert done.facts["rows overwritten"] == 2
    assert shop.all_of("course") == before
    assert shop.undo("overwrite").facts == {"rows deleted": 0, "rows put back": 2}
    assert shop.all_of("course") == changed
    condition = "title LIKE 'Title; DROP%' AND teacher < 3"
    shop.recover("overwrite again", "course", predicate=condition, conflicts="overwrite")
    assert shop.all_of("course") == before


def test_undo_deletes_what_stands_and_keeps_what_was_changed(shop: Shop) -> None:
    """Rows that people have changed, or refer to, since are told and stay."""
    shop.run("""DELETE FROM "a.b ""c" WHERE "User" >= 30; DELETE FROM "User" WHERE id >= 30""")
    harmed = shop.all_of('"User"')
    shop.recover("undone", '"User"', *[("id", str(n)) for n in (30, 31, 32, 33)])
    assert shop.undo("undone").facts["rows deleted"] == 4
    assert shop.all_of('"User"') == harmed
    with pytest.raises(UsageError, match="nothing to do"):
        plan_undo_rows(shop.environment, operation("undone")).demand_possible()
    shop.recover("undone 2", "User", *[("id", str(n)) for n in range(30, 41)])
    shop.run("""UPDATE "User" SET price = 99 WHERE id = 32""")
    plan = plan_undo_rows(shop.environment, operation("undone 2"))
    assert "was changed since: price" in plan.body
    assert 'is referred to by public."User" (32)' in plan.body
    assert shop.undo("undone 2").facts["rows deleted"] == 8
    assert shop.rows('SELECT id FROM "User" WHERE id >= 30 ORDER BY id') == [(30,), (31,), (32,)]
    shop.run("""UPDATE "User" SET price = 10.67 WHERE id = 32""")
    shop.recover("rest", '"a.b ""c"', predicate='"User" >= 30')


def test_recovers_through_the_root_of_a_partitioned_table(shop: Shop) -> None:
    """Rows go to their partitions, the sequence is raised and never set back, triggers of all levels keep quiet."""
    before = shop.all_of("event")
    shop.run("DELETE FROM event WHERE id IN (2, 16, 17); SELECT setval('event_id_seq', 5); TRUNCATE audit")
    shop.recover("partitioned", "event", ("id", "2"), ("id", "16"))
    assert shop.rows("SELECT last_value FROM event_id_seq") == [(16,)]
    shop.run("SELECT setval('event_id_seq', 500)")
    shop.recover("partitioned 2", "event", ("what", "what 17"), ("day", "2026-12-21"))
    assert shop.rows("SELECT last_value FROM event_id_seq") == [(500,)]
    assert shop.all_of("event") == before
    assert shop.rows("SELECT count(*) FROM event_2 WHERE id = 17") == [(1,)]
    assert shop.rows("SELECT count(*) FROM audit") == [(0,)]
    assert {mode for (mode,) in shop.rows("SELECT tgenabled::text FROM pg_trigger WHERE tgname = 'tell_always'")} == {
        "A"
    }
    shop.run("DELETE FROM event WHERE id = 17")
    assert "**fire**" in shop.plan("event", ("id", "17"), triggers="fire").body
    shop.recover("fired", "event", ("id", "17"), triggers="fire")
    assert shop.rows("SELECT what FROM audit") == [("INSERT event_2",)]
    with pytest.raises(UsageError, match=r"is a partition of public\.event"):
        shop.plan("event_1", ("id", "2"))


def test_recovers_circles_of_foreign_keys(shop: Shop) -> None:
    """By columns that may be NULL, by deferrable keys; what neither opens is refused in the plan."""
    before = [shop.all_of(name) for name in ("left_side", "right_side", "hen", "egg")]
    shop.run("""UPDATE right_side SET "left" = NULL; DELETE FROM left_side; DELETE FROM right_side;
                BEGIN; SET CONSTRAINTS ALL DEFERRED; DELETE FROM hen; DELETE FROM egg; COMMIT""")
    assert shop.recover("circle", "left_side", ("id", "1")).facts["rows inserted"] == 4
    assert shop.recover("hens", "egg", ("hen", "1")).facts["rows inserted"] == 2
    assert [shop.all_of(name) for name in ("left_side", "right_side", "hen", "egg")] == before
    assert shop.undo("circle").facts["rows deleted"] == 4
    assert shop.undo("hens").facts["rows deleted"] == 2
    shop.run("ALTER TABLE hard_a DROP CONSTRAINT hard_a_b_fkey; DELETE FROM hard_b; DELETE FROM hard_a")
    shop.run("ALTER TABLE hard_a ADD CONSTRAINT hard_a_b_fkey FOREIGN KEY (b) REFERENCES hard_b")
    (fault,) = shop.plan("hard_a", ("id", "1")).faults
    assert "in a circle" in fault


def test_tells_what_live_would_refuse(shop: Shop) -> None:
    """A unique value that another row has by now; a parent that is nowhere; columns that have come since."""
    shop.run("""DELETE FROM "a.b ""c" WHERE "User" IN (20, 21); DELETE FROM event WHERE who IN (20, 21);
                UPDATE "User" SET boss = NULL WHERE id IN (21, 22); DELETE FROM "User" WHERE id IN (20, 21);
                INSERT INTO "User" OVERRIDING SYSTEM VALUE VALUES (900, 'USER20@example.org', 'student')""")
    plan = shop.plan('"User"', ("id", "20"), ("id", "21"))
    assert plan.facts["rows that cannot be inserted"] == 2
    assert "its email is that of another row in live: id=900" in plan.body
    assert 'live has no row of public."User" (id) that User_boss_fkey refers to' in plan.body
    assert plan.faults
    shop.run('DELETE FROM "User" WHERE id = 900')
    shop.recover("blocked", '"a.b ""c"', ("User", "20"), ("User", "21"))
    shop.run('UPDATE "User" SET boss = 21 WHERE id = 22')
    shop.run(
        "ALTER TABLE changing DROP gone, ADD more int DEFAULT 5, ALTER amount TYPE numeric(8,4); DELETE FROM changing"
    )
    plan = shop.plan("changing", ("id", "1"))
    assert "live has no column gone any more" in plan.body
    shop.recover("columns", "changing", ("id", "1"))
    assert shop.all_of("changing") == [("(1,1.2345,5)",)]
    shop.run(
        "ALTER TABLE changing ADD must int; UPDATE changing SET must = 1; ALTER TABLE changing ALTER must SET NOT NULL"
    )
    (fault,) = shop.plan("changing", ("id", "2")).faults
    assert "column must is newer than the restore point" in fault


def test_refuses_a_plan_that_live_no_longer_fits(shop: Shop) -> None:
    """Nothing is written when live has changed between the plan and its application."""
    shop.run("DELETE FROM many WHERE id IN (11, 12)")
    plan = shop.plan("many", ("id", "11"), ("id", "12"))
    shop.run("INSERT INTO many VALUES (11, 'somebody was faster')")
    request = shop.request("many", ("id", "11"), ("id", "12"))
    with pytest.raises(ApprovalError, match="has changed"):
        shop.apply(plan, "stale", request)
    assert shop.rows("SELECT id, note FROM many WHERE id IN (11, 12)") == [(11, "somebody was faster")]
    assert not (shop.site.store_folder / f"shop/production/evidence/{operation('stale')}").exists()
    demand_same(plan, plan)
    shop.run("UPDATE many SET note = 'note 11' WHERE id = 11; INSERT INTO many VALUES (12, 'note 12')")


def test_refuses_tables_that_rows_cannot_be_told_apart_in(shop: Shop) -> None:
    """No primary key, no such table, or one that the restore point lacks."""
    with pytest.raises(UsageError, match="has no primary key"):
        shop.plan("keyless", ("note", "x"))
    shop.run("CREATE TABLE newer (id int PRIMARY KEY)")
    with pytest.raises(UsageError, match="not in restore point"):
        shop.plan("newer", ("id", "1"))
    shop.run("DROP TABLE newer")
