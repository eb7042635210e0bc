"""How the report words the values of evidence."""

from __future__ import annotations

from holdfast.evidence.page.html import Html, tag
from holdfast.manifest.evidence import Evidence

KIND = {
    "restore_drill": "Restore drill",
    "restore_check": "Restore check",
    "pitr_drill": "PITR drill",
    "pitr_check": "PITR check",
    "restore": "Restore",
    "switch_back": "Switch back",
    "restore_tables": "Restore of tables",
    "recover_rows": "Recovery of rows",
    "undo_rows": "Undo of recovered rows",
    "guarded_migration": "Guarded migration",
    "rollback": "Rollback",
}
NOT_PART = "not part of this"
MEDIA = {"none": "not restored", "sample": "a sample, restored and hashed", "all": "all, restored and hashed"}
NETWORK = {
    "isolated": "none: an empty network of their own",
    "isolated-host": "that of the worker, which stands on an isolated network",
    "unconfined": "unconfined: they could reach whatever the worker can",
}


def share(part: float) -> str:
    """A share as per cent: ``0.7 %``, ``42 %``."""
    return f"{part * 100:.1f} %" if part < 0.1 else f"{part * 100:.0f} %"


def requester(evidence: Evidence) -> str:
    """Who asked for it."""
    return evidence.requested_by or "nobody by name"


def code(text: str) -> Html:
    """An identifier, digest or command."""
    return tag("code", text)
