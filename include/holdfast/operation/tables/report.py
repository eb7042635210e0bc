"""The plan in words that people read and agree to: what differs, what would be written, and what speaks against it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from holdfast.evidence.visible import code, prose
from holdfast.operation.tables.comparing import Difference
from holdfast.operation.tables.examining import Examination
from holdfast.values import figures

_MODES = {
    "replace": "**replace**: afterwards each table has exactly the backup's rows; rows that are equal are not touched",
    "merge": "**merge**: what live lacks is added, what differs gets the backup's values; rows only in live stay",
}
_KINDS = {"a": "Only in the backup", "r": "Only in live", "c": "Changed"}


def plan_body(found: Examination, *, title: str, point: str, taken_at: datetime) -> str:
    """What the approval is bound to; the same differences give the same bytes."""
    lines = [
        f"## Restore tables of {prose(title)}",
        "",
        f"- restore point {code(point)}, taken {taken_at.isoformat(timespec='seconds')}",
        f"- live database {code(found.database)} of the server with system identifier {code(found.system_identifier)}",
        f"- {_MODES[found.mode]}",
        *_how(found),
        "",
        *_counts(found),
        *(line for difference in found.differences for line in _table(found, difference)),
        *_refused(found),
    ]
    return "\n".join(lines).rstrip() + "\n"


def plan_notes(found: Examination, *, restore_seconds: float, compare_seconds: float) -> str:
    """What may be otherwise a moment later."""
    lines = [
        f"Restored apart in {figures.seconds(restore_seconds)}, compared in {figures.seconds(compare_seconds)}. "
        "While it is applied, the chosen tables can be read but not written, at least as long as comparing took."
    ]
    if found.mode == "merge":
        for difference in found.differences:
            if difference.removed:
                lines.append(
                    f"- {code(difference.pair.title)}: {figures.count(difference.removed)} rows only in live stay"
                )
    return "\n\n".join([lines[0], "\n".join(lines[1:])]).rstrip() + "\n"


def _how(found: Examination) -> Iterator[str]:
    named = ", ".join(map(code, found.triggers)) or "none"
    if found.writing.is_silent:
        yield f"- triggers do not fire (session_replication_role = replica): {named}"
        if found.stubborn:
            stubborn = ", ".join(map(code, found.stubborn))
            yield f"- **triggers that fire nevertheless** (ENABLE ALWAYS or REPLICA): {stubborn}"
        yield "- every foreign key of rows that are written is checked before the commit"
    else:
        yield f"- **triggers fire**: {named} ({'; '.join(map(prose, found.writing.because))})"
    yield "- previous rows are kept in the store, encrypted, before the commit"


def _counts(found: Examination) -> Iterator[str]:
    is_replace = found.mode == "replace"
    yield "| table | rows told apart by | only in the backup: added | changed: overwritten |" + (
        " only in live: **deleted** | equal |" if is_replace else ""
    )
    yield "|---|---|---|---|" + ("---|---|" if is_replace else "")
    for each in found.differences:
        key = ", ".join(map(code, each.pair.key)) or "nothing: counted as a whole"
        row = f"| {code(each.pair.title)} | {key} | {figures.count(each.added)} | {figures.count(each.changed)} |"
        yield row + (f" {figures.count(each.removed)} | {figures.count(each.equal)} |" if is_replace else "")
    yield ""


def _table(found: Examination, difference: Difference) -> Iterator[str]:
    pair = difference.pair
    yield f"### {code(pair.title)}"
    yield ""
    yield from (f"- {prose(note)}" for note in pair.notes)
    for column, sequence in sorted(pair.live.owned_sequences.items()):
        yield f"- sequence {code(str(sequence))} is set to at least the greatest {code(column)}, never back"
    counts = {"a": difference.added, "r": difference.removed, "c": difference.changed}
    for kind, name in _KINDS.items():
        if counts[kind] and (kind != "r" or found.mode == "replace"):
            keys = difference.first[kind]
            more = f", and {figures.count(counts[kind] - len(keys))} more" if counts[kind] > len(keys) else ""
            yield f"- {name}: {', '.join(map(code, keys))}{more}"
    yield f"- all differences: SHA-256 {code(difference.sha256)}"
    yield ""


def _refused(found: Examination) -> Iterator[str]:
    if found.faults:
        yield "### Refused"
        yield ""
        yield from (f"- {prose(fault)}" for fault in found.faults)
