"""Sessions in the live database, which say which database it is and set off no login trigger where that may be had."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from holdfast.environment import Environment
from holdfast.operation.live import live_target
from holdfast.operation.rows.texts import settle
from holdfast.postgres.conninfo import Target
from holdfast.postgres.facts import system_identifier
from holdfast.postgres.relations import QualifiedName, Relation, read_relations
from holdfast.postgres.session import Session, connect, translated, without_login_triggers


@dataclass(frozen=True, slots=True)
class Live:
    """The live database at hand: ``path`` is its role's own search path, ``identity`` says which one it is."""

    target: Target
    session: Session
    relations: dict[QualifiedName, Relation]
    path: str
    identity: str


@contextmanager
def opened_live(environment: Environment, *, is_read_only: bool, doing: str) -> Iterator[Live]:
    """A settled session; psycopg's errors leave the block as Holdfast's."""
    target = live_target(environment)
    with connect(target) as session:
        target = without_login_triggers(target, session)
    with connect(target) as session, translated(target, doing):
        if is_read_only:
            session.execute("SET default_transaction_read_only = on")
        row = session.execute("SELECT pg_catalog.current_setting('search_path')").fetchone()
        assert row is not None
        settle(session)
        identity = f"database `{target.database}` of server {system_identifier(session)}"
        yield Live(target, session, read_relations(session), str(row[0]), identity)
