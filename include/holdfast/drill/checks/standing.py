"""What the catalog itself says is not as it should be: invalid indexes, constraints, triggers that do not fire."""

from __future__ import annotations

import psycopg

from holdfast.drill.checks.naming import some
from holdfast.drill.outcome import Outcome, blames_backup
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session, translate

# pg_dump leaves invalid indexes of tables out, so none can come of the source. One of a partitioned table it keeps:
# that is invalid while a partition lacks its part.
_INDEXES = """
SELECT c.oid::pg_catalog.regclass::text, i.indrelid::pg_catalog.regclass::text, c.relkind = 'I'
  FROM pg_catalog.pg_index i
  JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE NOT (i.indisvalid AND i.indisready AND i.indislive) AND n.nspname !~ '^pg_temp_'
 ORDER BY 1
"""
_CONSTRAINTS = """
SELECT CASE WHEN k.contypid <> 0 THEN k.contypid::pg_catalog.regtype::text
            ELSE k.conrelid::pg_catalog.regclass::text END || ': ' || k.conname
  FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_namespace n ON n.oid = k.connamespace
 WHERE NOT k.convalidated AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
 ORDER BY 1
"""
# Those that enforce foreign keys: pg_dump never says that they are off, a restore that broke off may leave them so.
_TRIGGERS = """
SELECT DISTINCT t.tgrelid::pg_catalog.regclass::text || ': ' || k.conname
  FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint
 WHERE t.tgisinternal AND t.tgenabled = 'D'
 ORDER BY 1
"""


def check_standing(session: Session, target: Target) -> Outcome:
    """Invalid indexes and foreign keys that are not enforced are findings, constraints never validated are noted."""
    try:
        indexes = session.execute(_INDEXES).fetchall()
        constraints = [str(name) for (name,) in session.execute(_CONSTRAINTS)]
        triggers = [str(name) for (name,) in session.execute(_TRIGGERS)]
    except psycopg.Error as error:
        raise translate(error, target, "reading indexes and constraints") from error
    invalid = [(name, table) for name, table, is_partitioned in indexes if not is_partitioned]
    findings = [blames_backup(f"index {name} of table {table} is not valid") for name, table in invalid]
    findings += [blames_backup(f"table {name}: the triggers of this foreign key do not fire") for name in triggers]
    return Outcome(
        tuple(findings),
        tuple(_notes([str(name) for name, _, is_partitioned in indexes if is_partitioned], constraints)),
        {"invalid_indexes": len(invalid), "constraints_not_validated": len(constraints)},
    )


def _notes(partitioned: list[str], constraints: list[str]) -> list[str]:
    notes = []
    if partitioned:
        notes.append(f"indexes of partitioned tables that some partition lacks, as in the source: {some(partitioned)}")
    if constraints:
        notes.append(f"constraints that were never validated (NOT VALID), as in the source: {some(constraints)}")
    return notes
