"""The queries of the catalog that tell what tables there are and how they hang together."""

RELATIONS = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
"""

# A type that was made by CREATE TYPE name (INPUT …), as extensions do, has its operators beside it; enums, arrays,
# ranges and rows use those of pg_catalog. A domain uses its base type's.
COLUMNS = """
WITH RECURSIVE base (of, oid) AS (
  SELECT oid, oid FROM pg_catalog.pg_type
  UNION ALL
  SELECT b.of, t.typbasetype FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
SELECT c.oid::bigint, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attgenerated <> '',
       a.attidentity::text, a.attnotnull, a.atthasdef AND a.attgenerated = '' OR t.typdefault IS NOT NULL,
       pg_catalog.format_type(root.oid, -1),
       CASE WHEN root.typtype = 'b' AND root.typcategory <> 'A' THEN tn.nspname ELSE 'pg_catalog' END
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  JOIN base ON base.of = t.oid
  JOIN pg_catalog.pg_type root ON root.oid = base.oid AND root.typtype <> 'd'
  JOIN pg_catalog.pg_namespace tn ON tn.oid = root.typnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY c.oid, a.attnum
"""

UNIQUE = """
SELECT c.oid::bigint, i.indisprimary,
       (SELECT array_agg(a.attname::text ORDER BY k.n)
          FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
         WHERE k.n <= i.indnkeyatts)
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indrelid
  JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
 ORDER BY c.oid, x.relname COLLATE "C"
"""

# Where a partitioned table is referred to, the catalog holds a copy of the key for each partition. Columns that only
# newer versions have are read by their names: whether the key is enforced (18), whether it is one of periods (18).
FOREIGN_KEYS = """
SELECT c.oid::bigint, k.conname,
       (SELECT array_agg(a.attname::text ORDER BY e.n) FROM unnest(k.conkey) WITH ORDINALITY AS e (attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = e.attnum),
       k.confrelid::bigint,
       (SELECT array_agg(a.attname::text ORDER BY e.n) FROM unnest(k.confkey) WITH ORDINALITY AS e (attnum, n)
          JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = e.attnum),
       k.condeferrable
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE k.contype = 'f' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint p WHERE p.oid = k.conparentid AND p.conrelid = k.conrelid)
   AND coalesce((to_jsonb(k) ->> 'conenforced')::boolean, true)
   AND NOT coalesce((to_jsonb(k) ->> 'conperiod')::boolean, false)
 ORDER BY c.oid, k.conname COLLATE "C"
"""

TRIGGERS = """
SELECT tgrelid::bigint, tgname
  FROM pg_catalog.pg_trigger
 WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')
 ORDER BY tgrelid, tgname COLLATE "C"
"""

SEQUENCES = """
SELECT d.refobjid::bigint, a.attname, n.nspname, s.relname
  FROM pg_catalog.pg_depend d
  JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
  JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
 WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
   AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype IN ('a', 'i')
"""

PARTITIONS = """
SELECT i.inhparent::bigint, i.inhrelid::bigint
  FROM pg_catalog.pg_inherits i
  JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND c.relispartition
"""
