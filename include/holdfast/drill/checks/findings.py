"""How errors become findings, and how many findings of one kind are named before the rest is only counted."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.drill.outcome import blames_backup, blames_drill
from holdfast.errors import DrillError, PermanentError, RestoreError, UsageError
from holdfast.manifest.evidence import Finding

_MOST = 50


def blamed(error: PermanentError) -> Finding:
    """The finding for an error that trying again would not mend.

    A wrong policy, a missing key and a target without room are the drill's; all else may be the restore point's.
    """
    is_drills = isinstance(error, UsageError | RestoreError | DrillError)
    return (blames_drill if is_drills else blames_backup)(error.message)


def capped(findings: Sequence[Finding], what: str) -> tuple[Finding, ...]:
    """The first of them, and how many more ``what`` (such as files) there are."""
    if len(findings) <= _MOST:
        return tuple(findings)
    rest = findings[_MOST:]
    blames = blames_backup if any(each.about == "backup" for each in rest) else blames_drill
    return (*findings[:_MOST], blames(f"and {len(rest)} more {what}"))
