"""The text that the approval gate shows: short Markdown whose SHA-256 is what an approval binds to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.evidence.figures import counts, gravest_first, is_only_late, moment, share_of_rto, worded_facts
from holdfast.evidence.instant_markdown import INSTANT_APPROVED, instant_facts, instant_verdict
from holdfast.evidence.objects import sha256
from holdfast.evidence.visible import code, prose
from holdfast.manifest.evidence import Evidence, Step, TableRows
from holdfast.values import figures

_FINDINGS_SHOWN = 20
_TABLES_SHOWN = 20
_FACTS_SHOWN = 12
_PASSED = ": passed"
_MEDIA = {"none": "not restored", "sample": "a sample restored and hashed", "all": "all restored and hashed"}


def approval_markdown(evidence: Evidence) -> str:
    """What an approver reads before agreeing; the same evidence gives the same bytes."""
    parts = [_verdict(evidence), *_findings(evidence), _facts(evidence), *_differing(evidence), _steps(evidence)]
    parts.append(_meaning(evidence))
    return "\n\n".join(parts) + "\n"


def _verdict(evidence: Evidence) -> str:
    if evidence.is_pitr:
        return instant_verdict(evidence)
    kind = "Restore drill" if evidence.kind == "restore_drill" else "Restore check"
    place = f"{evidence.app}/{evidence.environment}"
    if evidence.verdict == "passed":
        return f"## ✓ {kind} PASSED\n\n{prose(place)} was restored for real, counted and compared."
    return (
        f"## ✗ {kind} FAILED\n\n**Do not switch production traffic to this restore of {prose(place)}.** "
        f"{_blame(evidence)}"
    )


def _blame(evidence: Evidence) -> str:
    if any(finding.about == "backup" for finding in evidence.findings):
        return "**The restore point is to blame, or may be.**"
    if is_only_late(evidence):
        return "It was restored and compared, but over the recovery time objective."
    if evidence.findings:
        return "The drill's own surroundings are to blame: it says nothing against the backup, and proves nothing."
    return "It did not come to its end."


def _findings(evidence: Evidence) -> Iterator[str]:
    if evidence.findings:
        shown = [
            f"- **{'backup' if finding.about == 'backup' else 'surroundings'}:** {prose(finding.text)}"
            for finding in evidence.findings[:_FINDINGS_SHOWN]
        ]
        yield "### What is not as it must be\n\n" + "\n".join([*shown, *_more(len(evidence.findings), _FINDINGS_SHOWN)])
    if evidence.steps_not_run:
        yield "Not run: " + ", ".join(code(name) for name in evidence.steps_not_run) + "."


def _more(total: int, shown: int) -> list[str]:
    return [f"- … and {figures.count(total - shown)} more, see the report"] if total > shown else []


def _facts(evidence: Evidence) -> str:
    rows = [
        *_subject(evidence),
        ("server", _server(evidence)),
        *([] if evidence.is_pitr else [("network of commands", _network(evidence))]),
        ("requested by", code(evidence.requested_by) if evidence.requested_by else "nobody by name"),
        ("reason", prose(evidence.reason) if evidence.reason else "none given"),
        ("begun", moment(evidence.opened_at)),
        ("evidence", f"`{evidence.id}`, SHA-256 `{sha256(evidence.encode())}`"),
    ]
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


def _subject(evidence: Evidence) -> Iterator[tuple[str, str]]:
    if evidence.is_pitr:
        yield from instant_facts(evidence)
        yield "recovery time", _restore_time(evidence)
        return
    yield "restore point", code(evidence.restore_point)
    yield "taken", moment(evidence.restore_point_taken_at)
    yield "restore time", _restore_time(evidence)
    yield "counts", _counts(evidence)
    yield "media", _MEDIA[evidence.media]


def _restore_time(evidence: Evidence) -> str:
    if evidence.restore_seconds is None:
        return "not restored"
    took = figures.seconds(evidence.restore_seconds)
    share = share_of_rto(evidence)
    if share is None or evidence.rto_seconds is None:
        return f"{took}; the policy names no RTO"
    target = figures.seconds(evidence.rto_seconds)
    return f"{took} of {target} allowed (RTO)" if share <= 1 else f"**{took}, over the RTO of {target}**"


def _counts(evidence: Evidence) -> str:
    found = counts(evidence.tables)
    if not found.tables:
        return "nothing was counted"
    text = f"{figures.count(found.rows_found)} rows in {figures.count(found.tables)} tables"
    if found.differing:
        return f"**{figures.count(len(found.differing))} tables differ**; {text}"
    return f"{text}, exactly as in the manifest"


def _server(evidence: Evidence) -> str:
    around = evidence.surroundings
    if around is None:
        return "none was ready"
    major = "same major as" if around.is_same_major else "**another major than**"
    where = "thrown away afterwards" if around.is_throwaway else "a recovery server"
    return f"PostgreSQL {prose(around.server_version)}, {major} the source's {prose(evidence.source_version)}, {where}"


def _network(evidence: Evidence) -> str:
    confinement = evidence.surroundings.confinement if evidence.surroundings else None
    if confinement is None:
        return "no command was run"
    if confinement.network == "isolated":
        return "no interface but loopback, proven before the first of them ran"
    return f"**{confinement.network}**, interfaces: {', '.join(map(code, confinement.interfaces)) or 'none'}"


def _differing(evidence: Evidence) -> Iterator[str]:
    differing = gravest_first(counts(evidence.tables).differing)
    if differing:
        shown = [_table(table) for table in differing[:_TABLES_SHOWN]]
        yield "### Tables that differ\n\n" + "\n".join([*shown, *_more(len(differing), _TABLES_SHOWN)])


def _table(table: TableRows) -> str:
    found = "the table is missing" if table.found is None else f"{figures.count(table.found)} rows"
    expected = "no such table" if table.expected is None else figures.count(table.expected)
    return f"- {code(table.table)}: {found}, expected {expected}"


def _steps(evidence: Evidence) -> str:
    if not evidence.steps:
        return "No step was run."
    lines = ["### Steps", "", "| | step | time | seen |", "|---|---|---|---|", *map(_step, evidence.steps)]
    return "\n".join(lines)


def _step(step: Step) -> str:
    mark = "✓" if step.outcome == "passed" else "✗ **failed**"
    facts = [f"{prose(name)} {prose(value)}" for name, value in _by_area(worded_facts(step))[:_FACTS_SHOWN]]
    took = figures.seconds(step.seconds).replace(" ", "\N{NO-BREAK SPACE}")  # the column is narrow
    return f"| {mark} | {prose(step.title)} | {took} | {'; '.join(facts)} |"


def _by_area(facts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The facts with all queries that passed as one, which names the areas that they prove."""
    areas = [value.removesuffix(_PASSED) for name, value in facts if _is_passed_query(name, value)]
    others = [(name, value) for name, value in facts if not _is_passed_query(name, value)]
    return [*others, ("passed:", ", ".join(dict.fromkeys(areas)))] if areas else others


def _is_passed_query(name: str, value: str) -> bool:
    return name.startswith("query ") and value.endswith(_PASSED)


def _meaning(evidence: Evidence) -> str:
    if evidence.verdict == "failed":
        return (
            "### What your answer means\n\n**A failed drill cannot be approved.** Mend what is named above, "
            "then start a new drill."
        )
    if evidence.is_pitr:
        return INSTANT_APPROVED
    return (
        "### What your answer means\n\nApproving records, signed and under your name, that you have read this evidence "
        "and that this restore may stand for production. It switches no traffic by itself. Rejecting needs a reason "
        "and ends the drill without approval."
    )
