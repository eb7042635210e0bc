"""The audit trail: who triggered, approved, deleted, held and exported what, in signed records that form a chain."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.audit.appending import append
    from holdfast.audit.deletions import Gone, record_deletions
    from holdfast.audit.lenient import append_if_possible
    from holdfast.audit.reading import Entry, read_trail
    from holdfast.audit.records import Act, Action, Anchor, AuditRecord
    from holdfast.audit.verifying import TrailReport, advance, verify_trail

__all__ = [
    "Act",
    "Action",
    "Anchor",
    "AuditRecord",
    "Entry",
    "Gone",
    "TrailReport",
    "advance",
    "append",
    "append_if_possible",
    "read_trail",
    "record_deletions",
    "verify_trail",
]

_PLACES = {
    "Act": "records",
    "Action": "records",
    "Anchor": "records",
    "AuditRecord": "records",
    "Entry": "reading",
    "Gone": "deletions",
    "TrailReport": "verifying",
    "advance": "verifying",
    "append": "appending",
    "append_if_possible": "lenient",
    "read_trail": "reading",
    "record_deletions": "deletions",
    "verify_trail": "verifying",
}
__getattr__ = late_imports(__name__, _PLACES)
