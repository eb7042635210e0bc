"""How long a restore will take, by earlier ones, and which rows it will take from the users."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from statistics import median

from holdfast.catalog.restore_checks import genuine_restore_check
from holdfast.environment import Environment
from holdfast.errors import HoldfastError
from holdfast.evidence.visible import code
from holdfast.manifest.model import Manifest
from holdfast.postgres.conninfo import Target
from holdfast.postgres.counts import count_tables
from holdfast.values import figures

_SHOWN = 20
_LOOKED_AT = 12


def expected_seconds(environment: Environment) -> float | None:
    """The median of what the newest restore checks took to restore; None where none was made."""
    seconds: list[float] = []
    committed = [entry for entry in environment.catalog.entries() if entry.is_committed]
    for entry in islice(reversed(committed), _LOOKED_AT):
        with suppress(HoldfastError):
            check, _ = genuine_restore_check(environment.catalog, entry, environment.verifier())
            if check is not None and check.restore_seconds is not None:
                seconds.append(check.restore_seconds)
    return median(seconds) if seconds else None


def rows_lost(target: Target, manifest: Manifest) -> Iterator[str]:
    """Lines of Markdown: tables that have other numbers of rows now than in the restore point."""
    source = manifest.database.source
    differing = [table for table in count_tables(target, source.tables, workers=2) if not table.is_equal]
    if not differing:
        yield "- Every table has as many rows now as in the restore point; changed rows are not seen by that."
        return
    yield f"- {figures.count(len(differing))} tables have other numbers of rows now than in the restore point:"
    for table in differing[:_SHOWN]:
        then = "not there" if table.expected is None else figures.count(table.expected)
        now = "there" if table.expected is None else "not there" if table.found is None else figures.count(table.found)
        yield f"  - {code(table.table)}: {now} now, {then} then"
    if len(differing) > _SHOWN:
        yield f"  - … and {len(differing) - _SHOWN} more"
