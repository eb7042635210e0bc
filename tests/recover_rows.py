"""A shop's database with all that makes rows hard to recover, its restore point, and what is done to live since."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fix_environment import POLICY, Site
from fix_postgres import execute, rows
from holdfast.crypto.keyfiles import new_keys
from holdfast.drill.outcome import Outcome
from holdfast.environment import Environment
from holdfast.errors import ApprovalError
from holdfast.operation.plans import Plan
from holdfast.operation.rows import RowsRequest, apply_rows, apply_undo_rows, plan_rows, plan_undo_rows
from holdfast.values.ids import RestorePointId

SCHEMA = """
CREATE EXTENSION citext;
CREATE TYPE role AS ENUM ('student', 'teacher');
CREATE DOMAIN mail AS citext CHECK (value LIKE '%@%');
CREATE TABLE "User" (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email mail NOT NULL UNIQUE, "Role" role NOT NULL, tags text[],
  code varchar(4), initials text GENERATED ALWAYS AS (upper(code)) STORED, price numeric(8,2), seen timestamptz,
  picture bytea, extra jsonb, boss int REFERENCES "User");
CREATE TABLE course (id text PRIMARY KEY, title text NOT NULL, teacher int NOT NULL REFERENCES "User");
CREATE TABLE "a.b ""c" (
  "User" int NOT NULL REFERENCES "User", course text NOT NULL REFERENCES course, note text, weight real,
  PRIMARY KEY ("User", course));
CREATE TABLE event (id bigserial, day date, who int REFERENCES "User", what text, PRIMARY KEY (id, day))
  PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');
CREATE TABLE event_2 PARTITION OF event FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');
CREATE TABLE left_side (id int PRIMARY KEY, "right" int NOT NULL, note text);
CREATE TABLE right_side (id int PRIMARY KEY, "left" int DEFAULT 7 REFERENCES left_side);
ALTER TABLE left_side ADD FOREIGN KEY ("right") REFERENCES right_side;
CREATE TABLE hen (id int PRIMARY KEY, egg int NOT NULL);
CREATE TABLE egg (id int PRIMARY KEY, hen int NOT NULL REFERENCES hen DEFERRABLE);
ALTER TABLE hen ADD FOREIGN KEY (egg) REFERENCES egg DEFERRABLE;
CREATE TABLE hard_a (id int PRIMARY KEY, b int NOT NULL);
CREATE TABLE hard_b (id int PRIMARY KEY, a int NOT NULL REFERENCES hard_a);
CREATE TABLE keyless (note text);
CREATE TABLE changing (id int PRIMARY KEY, gone text, amount numeric(8,4));
CREATE TABLE many (id int PRIMARY KEY, note text);
CREATE TABLE audit (at timestamptz DEFAULT now(), what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS
  $$BEGIN INSERT INTO audit (what) VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NEW; END$$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON "User" FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER tell_always AFTER INSERT ON event FOR EACH ROW EXECUTE FUNCTION tell();
ALTER TABLE event ENABLE ALWAYS TRIGGER tell_always;
"""
DATA = r"""
INSERT INTO "User" (email, "Role", tags, code, price, seen, picture, extra, boss)
  SELECT 'User' || n || '@example.org', CASE WHEN n < 5 THEN 'teacher' ELSE 'student' END::role,
         ARRAY['x', 'y,"z', NULL],         'c' || n, n / 3.0, timestamptz '2026-05-01 10:00:00.123456+02',
         '\x00ff41', '{"a": [1, null]}', NULLIF(n - 1, 0)
    FROM generate_series(1, 40) AS n;
INSERT INTO course SELECT 'course ' || n, 'Title; DROP TABLE "User" --' || n, n FROM generate_series(1, 4) AS n;
INSERT INTO "a.b ""c" SELECT n, 'course ' || 1 + n % 4, E'line\nbreak\t\\ ' || n, n / 7.0
  FROM generate_series(5, 40) AS n;
INSERT INTO event (day, who, what) SELECT date '2026-01-15' + n * 20, n, 'what ' || n FROM generate_series(1, 17) AS n;
INSERT INTO right_side VALUES (1, NULL), (2, NULL); INSERT INTO left_side VALUES (1, 2, 'n'), (2, 1, 'n');
UPDATE right_side SET "left" = id;
BEGIN; SET CONSTRAINTS ALL DEFERRED; INSERT INTO hen VALUES (1, 1); INSERT INTO egg VALUES (1, 1); COMMIT;
INSERT INTO hard_a VALUES (1, 1); INSERT INTO hard_b VALUES (1, 1);
ALTER TABLE hard_a ADD FOREIGN KEY (b) REFERENCES hard_b;
INSERT INTO keyless VALUES ('x'); INSERT INTO changing VALUES (1, 'g', 1.2345), (2, 'g', 2.5);
INSERT INTO many SELECT n, 'note ' || n FROM generate_series(1, 20000) AS n;
TRUNCATE audit;
"""


@dataclass(frozen=True)
class Shop:
    """A site, its live database, and one restore point of it."""

    site: Site
    url: str
    point: RestorePointId

    @property
    def environment(self) -> Environment:
        """As use cases want it."""
        return self.site.environment()

    def request(self, table: str, *keys: tuple[str, str], **more: object) -> RowsRequest:
        """A request by keys, or with ``predicate``."""
        return RowsRequest.model_validate({"table": table, "keys": keys, **more})

    def plan(self, table: str, *keys: tuple[str, str], **more: object) -> Plan:
        """The plan for a request."""
        return plan_rows(self.environment, self.point, self.request(table, *keys, **more))

    def recover(self, origin: str, table: str, *keys: tuple[str, str], **more: object) -> Outcome:
        """Apply whatever the plan is."""
        request = self.request(table, *keys, **more)
        return apply_rows(self.environment, operation(origin), self.point, request, demand=lambda _: None)

    def apply(self, plan: Plan, origin: str, request: RowsRequest) -> Outcome:
        """Apply a plan that was agreed to."""
        return apply_rows(
            self.environment, operation(origin), self.point, request, demand=lambda fresh: demand_same(plan, fresh)
        )

    def undo(self, origin: str) -> Outcome:
        """Plan and apply taking back what the operation of that origin wrote."""
        plan = plan_undo_rows(self.environment, operation(origin))
        undoing = operation(f"undo {origin}", "undo_rows")
        return apply_undo_rows(
            self.environment, undoing, operation(origin), demand=lambda fresh: demand_same(plan, fresh)
        )

    def run(self, sql: str) -> None:
        """Change live."""
        execute(self.url, sql)

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        """Read live."""
        return rows(self.url, sql)

    def all_of(self, table: str) -> list[tuple[object, ...]]:
        """Every row of a table as text."""
        return self.rows(f"SELECT t::text FROM {table} AS t ORDER BY 1")


def operation(origin: str, kind: str = "recover_rows") -> RestorePointId:
    """The id of an operation."""
    return RestorePointId.make(datetime(2026, 11, 22, 9, tzinfo=UTC), kind, origin)


def demand_same(agreed: Plan, fresh: Plan) -> None:
    """What gates do, as far as the plan is concerned."""
    if agreed.sha256 != fresh.sha256:
        raise ApprovalError("the plan has changed since it was approved")


def make_shop(folder: Path, url: str) -> Shop:
    """A shop in an empty database, with one restore point."""
    execute(url, SCHEMA)
    for statement in DATA.strip().split(";\n"):
        execute(url, statement)
    keys = folder / "keys"
    new_keys(keys)
    policy_file = folder / "shop.yaml"
    policy_file.write_text(POLICY.format(store_url=f"file://{folder / 'store'}", store_conn="null", keys=keys))
    site = Site(folder, policy_file, keys, folder / "store", {"AIRFLOW_CONN_SHOP_DB": url})
    return Shop(site, url, RestorePointId.parse(site.backup()))
