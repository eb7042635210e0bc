"""Base backup: a whole cluster's files as one stream, good together with the WAL that the store holds.

The steps share nothing but the store: the first leaves the encrypted files and a signed draft, the second writes the
manifest, by which the base backup exists, once the WAL that it needs is stored too.
"""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.backup.base.commit import commit_base_backup
    from holdfast.backup.base.facts import BaseBackupFacts
    from holdfast.backup.base.run import take_base_backup
    from holdfast.backup.base.storing import store_base_backup

__all__ = ["BaseBackupFacts", "commit_base_backup", "store_base_backup", "take_base_backup"]

_PLACES = {
    "BaseBackupFacts": "facts",
    "commit_base_backup": "commit",
    "store_base_backup": "storing",
    "take_base_backup": "run",
}
__getattr__ = late_imports(__name__, _PLACES)
