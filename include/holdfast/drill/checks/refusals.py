"""Why PostgreSQL refused a query of the policy: whether the query is wrong, or the database lacks what it needs."""

from __future__ import annotations

import psycopg

from holdfast.drill.checks.naming import without_quotes
from holdfast.drill.outcome import blames_backup, blames_drill
from holdfast.manifest.evidence import Finding
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import translate
from holdfast.redaction import redact

# SQLSTATEs (PostgreSQL manual, appendix A).
_LOST = ("08", "57P")
_LACKING = ("42P01", "42703", "42883", "42704", "3F000")
_WRITES = ("25006",)
_TOO_LONG = ("57014", "55P03")
_MALFORMED = ("42", "0A", "25", "2D", "34", "26", "08P01")
_RESOURCES = ("53", "54")
_RAISED = "P"


def refused(error: psycopg.Error, target: Target, title: str, timeout_s: int) -> Finding:
    """The finding for an error of the query named ``title``; raises DatabaseUnavailable where the server is gone."""
    state = error.sqlstate or ""
    said = _said(error, target)
    if isinstance(error, psycopg.OperationalError) and (not state or state.startswith(_LOST)):
        raise translate(error, target, title) from error
    if state in _WRITES:
        return blames_drill(f"{title}: it tries to write: {said}; a check only reads: correct the policy")
    if state in _TOO_LONG:
        return blames_drill(f"{title}: not done within {timeout_s} s: {said}")
    if state in _LACKING:
        return blames_backup(
            f"{title}: {said}: either the restored database lost it, or the policy's query never fitted the application"
        )
    if state.startswith(_RESOURCES):
        return blames_drill(f"{title}: the recovery environment lacks room: {said}")
    if not state or state.startswith(_MALFORMED):
        return blames_drill(f"{title}: the policy's query is wrong: {said}")
    return blames_backup(f"{title}: it fails on the restored data: {said}")


def _said(error: psycopg.Error, target: Target) -> str:
    """The message, with no more of it than names that stand in the query itself.

    What is found wrong while a query is parsed has a place in its text. Later, quotes may hold a row's content, and
    what is said within a function may be anything.
    """
    if error.diag.context or (error.sqlstate or "").startswith(_RAISED):
        return f"an error of its own ({error.sqlstate})"
    said = redact(" ".join((error.diag.message_primary or str(error)).split()), target.secrets)
    return said if error.diag.statement_position else without_quotes(said)
