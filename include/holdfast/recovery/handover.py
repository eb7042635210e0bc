"""Give restored files to the account that the commands run as."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from holdfast.recovery.account import Account


def hand_over(folder: Path, account: Account) -> None:
    """Make the account the owner of everything in ``folder`` that is ours.

    A file with several names is left alone: one of them may be a stranger's, put there by an earlier command.
    """
    if account.name is None:
        return
    ours = os.geteuid()
    for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            is_single = found.st_nlink == 1 or stat.S_ISDIR(found.st_mode)
            if found.st_uid == ours and is_single:
                os.chown(name, account.uid, account.gid, dir_fd=descriptor, follow_symlinks=False)
