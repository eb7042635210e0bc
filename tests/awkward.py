"""A database with everything that dumps, counts and restores have stumbled over."""

from __future__ import annotations

LONG = "ü" * 31 + "x"  # 63 bytes, PostgreSQL's longest name

AWKWARD = f"""
CREATE EXTENSION hstore; CREATE EXTENSION citext;
CREATE SCHEMA "my schema";
CREATE TYPE mood AS ENUM ('fine', 'bad');
CREATE FUNCTION touched() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN new; END$$;
CREATE TABLE "User" (id serial PRIMARY KEY, email citext UNIQUE, mood mood, more hstore,
                     double bigint GENERATED ALWAYS AS (id * 2) STORED, CHECK (id > 0));
INSERT INTO "User" (email, mood, more) SELECT 'user' || n, 'fine', 'a=>1' FROM generate_series(1, 100) n;
CREATE TRIGGER touched BEFORE UPDATE ON "User" FOR EACH ROW EXECUTE FUNCTION touched();
CREATE TABLE "my schema"."order ""ü"" 'items'" (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                                               buyer int REFERENCES "User" (id), note text);
INSERT INTO "my schema"."order ""ü"" 'items'" (buyer, note) SELECT n, 'x' FROM generate_series(1, 50) n;
CREATE TABLE "{LONG}" (a int); INSERT INTO "{LONG}" VALUES (1), (2), (3);
CREATE TABLE "line
break" (a int); INSERT INTO "line
break" VALUES (1);
CREATE TABLE parted (id int, at date) PARTITION BY RANGE (at);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM ('2021-01-01') TO ('2022-01-01') PARTITION BY LIST (id);
CREATE TABLE parted_2a PARTITION OF parted_2 FOR VALUES IN (1, 2);
CREATE INDEX ON parted (at);
INSERT INTO parted VALUES (1, '2020-03-03'), (1, '2021-03-03'), (2, '2021-03-03');
CREATE TABLE base (a int); CREATE TABLE derived (b int) INHERITS (base);
INSERT INTO base VALUES (1), (2); INSERT INTO derived VALUES (3, 4);
CREATE UNLOGGED TABLE fleeting (a int); INSERT INTO fleeting VALUES (1);
CREATE TABLE nothing ();
CREATE TABLE guarded (a int); INSERT INTO guarded VALUES (1), (2);
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON guarded USING (a = 1);
CREATE VIEW shown AS SELECT * FROM "User"; CREATE MATERIALIZED VIEW kept AS SELECT count(*) FROM "User";
CREATE SEQUENCE down INCREMENT -5; SELECT nextval('down'), nextval('down');
CREATE SEQUENCE never; CREATE SEQUENCE round MAXVALUE 3 CYCLE; SELECT nextval('round');
SELECT lo_from_bytea(0, 'large');
"""

ROWS = {
    ("my schema", "order \"ü\" 'items'"): 50,
    ("public", "User"): 100,
    ("public", LONG): 3,
    ("public", "line\nbreak"): 1,
    ("public", "parted_1"): 1,
    ("public", "parted_2a"): 2,
    ("public", "base"): 2,
    ("public", "derived"): 1,
    ("public", "fleeting"): 1,
    ("public", "nothing"): 0,
    ("public", "guarded"): 2,
}
