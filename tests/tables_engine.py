"""Restores tables from one database into another by the engine's own pieces, without store and dump in between."""

from __future__ import annotations

from holdfast.drill.outcome import Outcome
from holdfast.operation.tables.applying import write_differences
from holdfast.operation.tables.comparing import Difference
from holdfast.operation.tables.examining import Examination, examine
from holdfast.operation.tables.locking import lock_tables
from holdfast.operation.tables.pairing import choose_tables
from holdfast.operation.tables.request import TablesRequest
from holdfast.operation.tables.sessions import changing, reading, restored
from holdfast.postgres.conninfo import Target
from holdfast.postgres.relations import read_relations
from holdfast.progress import Silent


def request_of(*tables: str, mode: str = "replace") -> TablesRequest:
    return TablesRequest.model_validate({"tables": tables, "mode": mode})


def look(backup: str, live: str, *tables: str, mode: str = "replace") -> Examination:
    """What differs, without a lock."""
    request, target = request_of(*tables, mode=mode), Target.parse(live)
    with restored(Target.parse(backup)) as apart, reading(target) as session:
        relations = read_relations(session)
        chosen = choose_tables(relations, request, where="live")
        return examine(session, relations, chosen, apart, request.mode, Silent())


def equalize(backup: str, live: str, *tables: str, mode: str = "replace") -> tuple[Examination, Outcome]:
    """Make the tables of ``live`` those of ``backup``, and commit."""
    request, target = request_of(*tables, mode=mode), Target.parse(live)
    with restored(Target.parse(backup)) as apart, changing(target) as session:
        relations, chosen = lock_tables(session, target, request)
        found = examine(session, relations, chosen, apart, request.mode, Silent())
        assert found.faults == ()
        outcome = write_differences(session, found, apart, _keep_nothing)
        session.commit()
    return found, outcome


def _keep_nothing(_: Difference) -> None:
    pass
