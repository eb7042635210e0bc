"""The folder in which a parallel restore keeps its unnamed file: the one that was asked for, or none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from holdfast.errors import UsageError
from holdfast.postgres.restoration import unnamed_file


def spool_folder() -> Path:
    """``TMPDIR``, or the system's own choice where that is not set; raises UsageError where it cannot hold the file.

    Python's would pass over a TMPDIR that cannot be used without a word, and decrypt to another disk.
    """
    wished = os.environ.get("TMPDIR")
    try:
        folder = Path(wished or tempfile.gettempdir())
        os.close(unnamed_file(folder))
    except OSError as error:
        place = f"TMPDIR {wished}" if wished else "folder for temporary files"
        raise UsageError(
            f"{place}: cannot hold the decrypted archive: {(error.strerror or str(error)).lower()}",
            hint="Set TMPDIR to a folder on ext4, xfs, btrfs or tmpfs that you may write to, or restore everything "
            "with --jobs 1, which needs no file.",
        ) from error
    return folder
