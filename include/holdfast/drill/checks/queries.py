"""The policy's SQL checks: each asks the restored database one thing and knows the right answer."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from holdfast.drill.checks.asking import TIMEOUT_S, answer, asking
from holdfast.drill.checks.expectation import difference, rows_needed
from holdfast.drill.checks.refusals import refused
from holdfast.drill.outcome import Outcome, blames_backup
from holdfast.manifest.evidence import Fact, Finding
from holdfast.policy.drill import DrillQuery
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import Session
from holdfast.progress import Progress, Silent

_SILENT = Silent()


def check_queries(
    target: Target,
    queries: Mapping[str, DrillQuery],
    progress: Progress = _SILENT,
    *,
    timeout_s: int = TIMEOUT_S,
) -> Outcome:
    """Run every query in a transaction that cannot write; each that is not answered as expected is a finding.

    Facts: ``query <name>`` says area and outcome. Raises DatabaseUnavailable where the server goes away.
    """
    findings: list[Finding] = []
    facts: dict[str, Fact] = {"queries": len(queries)}
    progress.begin("queries")
    with asking(target) as session:
        for name, query in queries.items():
            finding = _finding(session, target, name, query, timeout_s)
            findings += [finding] if finding is not None else []
            facts[f"query {name}"] = f"{query.area or name}: {'passed' if finding is None else 'failed'}"
    passed = len(queries) - len(findings)
    progress.end(f"{passed} of {len(queries)} passed")
    return Outcome(tuple(findings), facts={**facts, "queries_passed": passed})


def _finding(session: Session, target: Target, name: str, query: DrillQuery, timeout_s: int) -> Finding | None:
    title = f"query {name}" + (f" ({query.area})" if query.area not in (None, name) else "")
    try:
        found = answer(session, query.sql, rows_needed(query.expect), timeout_s=timeout_s)
    except psycopg.Error as error:
        return refused(error, target, title, timeout_s)
    fault = difference(query.expect, found)
    return None if fault is None else blames_backup(f"{title}: {fault}")
