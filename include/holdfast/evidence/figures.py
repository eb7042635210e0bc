"""What evidence adds up to: figures that the report and the approval gate both show."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.evidence.steps_taken import RTO
from holdfast.manifest.evidence import Evidence, Fact, Step, TableRows
from holdfast.values import figures


@dataclass(frozen=True, slots=True)
class Counts:
    """Tables compared and their rows together; ``differing`` holds those that are not as expected."""

    tables: int
    rows_expected: int
    rows_found: int
    differing: tuple[TableRows, ...]


def counts(tables: Iterable[TableRows]) -> Counts:
    """The tables' rows added up."""
    each = tuple(tables)
    return Counts(
        tables=len(each),
        rows_expected=sum(table.expected or 0 for table in each),
        rows_found=sum(table.found or 0 for table in each),
        differing=tuple(table for table in each if differs(table)),
    )


def differs(table: TableRows) -> bool:
    """Whether a table is not as the manifest promises: other rows, missing, or not to be there."""
    return table.expected != table.found


def gravest_first(tables: Iterable[TableRows]) -> list[TableRows]:
    """Tables that differ before those that do not, the largest first, then by name."""
    return sorted(
        tables, key=lambda table: (not differs(table), -max(table.expected or 0, table.found or 0), table.table)
    )


def share_of_rto(evidence: Evidence) -> float | None:
    """Restore time as a share of the RTO; None where either is not known."""
    if evidence.restore_seconds is None or not evidence.rto_seconds:
        return None
    return evidence.restore_seconds / evidence.rto_seconds


def is_only_late(evidence: Evidence) -> bool:
    """Whether nothing but the RTO was missed."""
    failed = [step.name for step in evidence.steps if step.outcome == "failed"]
    return failed == [RTO] and not evidence.steps_not_run


def moment(at: datetime) -> str:
    """A moment for people: ``2026-11-22 09:00:00 UTC``."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def day(at: datetime) -> str:
    """The day of a moment: ``2026-11-22``."""
    return at.astimezone(UTC).strftime("%Y-%m-%d")


def worded_facts(step: Step) -> list[tuple[str, str]]:
    """A step's facts with words for their names, and the units that the names tell."""
    return [_worded(name, value) for name, value in step.facts.items()]


def _worded(name: str, value: Fact) -> tuple[str, str]:
    # A variable keeps the name that it has.
    words = name.replace("_", " ") if name.islower() else name
    if isinstance(value, bool):
        return words, "yes" if value else "no"
    if value is None or isinstance(value, str):
        return words, value or "none"
    before, _, unit = words.rpartition(" ")
    if unit == "seconds":
        return before or "time", figures.seconds(value)
    if unit in ("oid", "num"):
        return words, str(value)
    if unit == "bytes":
        return f"{before} size".strip(), figures.size(int(value))
    return words, figures.count(value) if isinstance(value, int) else f"{value:g}"
