"""Where recovery environments lie on a host: the root, one private folder for each, and the lock on it."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import socket
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import DrillError, UsageError
from holdfast.recovery.account import Account, recovery_account

ROOT_VARIABLE = "HOLDFAST_RECOVERY"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,149}")
# The path of a socket holds 107 bytes and a zero (unix(7)); the server adds its file and a lock beside it.
_SOCKET_FOLDER_BYTES = 107 - len("/.s.PGSQL.5432")
_LOCK_PATIENCE_S = 10.0


def recovery_root(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of all recovery environments: ``HOLDFAST_RECOVERY``, or one of ours among the temporary files.

    It is made where it does not exist. Raises UsageError where it is not ours alone: decrypted data will lie there.
    """
    wished = environ.get(ROOT_VARIABLE)
    if wished and not Path(wished).is_absolute():
        raise UsageError(f"{ROOT_VARIABLE}: {wished} is not an absolute path")
    temporary = Path(environ.get("TMPDIR") or tempfile.gettempdir()).absolute()
    root = Path(wished) if wished else temporary / f"holdfast-recovery-{os.geteuid()}"
    try:
        if not os.path.lexists(root):
            root.mkdir(parents=True, mode=0o700, exist_ok=True)
            root.chmod(_mode_of_folders())
        found = root.lstat()
    except OSError as error:
        raise UsageError(
            f"recovery folder {root}: cannot be made: {(error.strerror or str(error)).lower()}",
            hint=f"Name a folder of your own in {ROOT_VARIABLE}.",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o066:
        raise UsageError(
            f"recovery folder {root}: is not a folder that is ours and closed to others",
            hint=f"Name another in {ROOT_VARIABLE}, or take the others' rights away: chmod go= {root}",
        )
    return root


def _mode_of_folders() -> int:
    """As root, servers and commands run as somebody else, who must step through, but may not look."""
    return 0o711 if os.geteuid() == 0 else 0o700


def host_id() -> str:
    """What tells this host from others that may see the same folder."""
    machine = Path("/etc/machine-id")
    number = machine.read_text().strip() if machine.exists() else ""
    return f"{socket.gethostname()} {number}".strip()


def boot_id() -> str:
    """What the kernel calls this run of itself."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, slots=True)
class Place:
    """One recovery environment's folder. What its servers and commands own lies in folders of ``account``."""

    root: Path
    name: str
    account: Account

    @classmethod
    def of(cls, root: Path, name: str) -> Place:
        """The place of that name; raises UsageError for a name that is no plain file name."""
        if not is_name(name):
            raise UsageError(f"recovery environment {name!r}: not a plain name")
        return cls(root.absolute(), name, recovery_account())

    @property
    def folder(self) -> Path:
        """All that it has lies in here, except where ``socket`` would become too long."""
        return self.root / self.name

    @property
    def record(self) -> Path:
        """What was made; it is written last and removed first."""
        return self.folder / "environment.json"

    @property
    def server(self) -> Path:
        """How to reach a recovery server, with its password: ours alone."""
        return self.folder / "server.json"

    @property
    def media(self) -> Path:
        """Restored files."""
        return self.folder / "media"

    @property
    def home(self) -> Path:
        """The commands' HOME."""
        return self.folder / "home"

    @property
    def temporary(self) -> Path:
        """The commands' TMPDIR."""
        return self.folder / "tmp"

    @property
    def socket(self) -> Path:
        """The folder of the throwaway server's socket: in a short path of its own where this one is deep."""
        near = self.folder / "socket"
        return near if len(os.fsencode(near)) <= _SOCKET_FOLDER_BYTES else self.far_socket

    @property
    def far_socket(self) -> Path:
        """Always the same for the same folder, so that it is found again whatever happened in between."""
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]
        return Path("/tmp") / f"holdfast-{os.geteuid()}-{digest}"  # noqa: S108 - its owner is checked before use

    @property
    def for_commands(self) -> tuple[Path, ...]:
        """What commands get to see of it: neither the server's files nor its password."""
        return (self.media, self.home, self.temporary, self.socket)

    @property
    def database_name(self) -> str:
        """What its database is called on a recovery server, in the 63 bytes that a name may have."""
        safe = re.sub(r"[^a-z0-9]+", "_", self.name.lower())
        if len(safe) > 54:
            safe = f"{hashlib.sha256(self.name.encode()).hexdigest()[:8]}_{safe[-45:]}"
        return f"holdfast_{safe}"

    def make_socket_folder(self) -> None:
        """Raises DrillError where somebody else holds the place."""
        folder = self.socket
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        owners = (os.geteuid(), self.account.uid)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
            raise DrillError(
                f"recovery environment {self.name}: {folder} is not ours",
                hint=f"Remove it, or name a shorter folder in {ROOT_VARIABLE}.",
            )
        self.account.make_folder(folder)

    def keep_password(self) -> None:
        """The superuser's password is no concern of the commands, which run as the server's account."""
        os.chown(self.folder / "password", os.geteuid(), os.getegid(), follow_symlinks=False)

    def make(self) -> None:
        """The folder alone; one that exists is left as it is."""
        self.folder.mkdir(mode=0o700, exist_ok=True)

    def open_up(self) -> None:
        """The folders of its servers and commands."""
        self.folder.chmod(_mode_of_folders())
        for folder in (self.media, self.home, self.temporary):
            self.account.make_folder(folder)

    def last_use(self) -> float:
        """When it was last opened or made (seconds since 1970)."""
        return max(path.stat().st_mtime for path in (self.folder, self.record) if path.exists())

    @contextmanager
    def held(self, patience_s: float = _LOCK_PATIENCE_S) -> Iterator[int]:
        """Nobody else uses it meanwhile. Raises DrillError where somebody does, or there is no such folder.

        The lock goes with the process that holds it, however it ends, and with those that were given the descriptor.
        """
        descriptor = self._lock(time.monotonic() + patience_s)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _lock(self, deadline: float) -> int:
        while True:
            try:
                descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError as error:
                raise DrillError(
                    f"recovery environment {self.name}: is not on this host ({socket.gethostname()}): no {self.folder}",
                    hint="All of a drill's tasks must run on one recovery host, with one folder for recovery: give "
                    "the queue of recovery a single worker. Or it was removed; then start the drill anew.",
                ) from error
            if self._is_locked(descriptor):
                return descriptor
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise DrillError(
                    f"recovery environment {self.name}: another process of this host uses it",
                    hint="Wait until the other task has ended.",
                )
            time.sleep(0.05)

    def _is_locked(self, descriptor: int) -> bool:
        """Have we got the lock, and is what we locked still what bears the name?"""
        opened = os.fstat(descriptor)
        if opened.st_uid != os.geteuid():
            os.close(descriptor)
            raise DrillError(f"recovery environment {self.name}: {self.folder} belongs to somebody else")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            named = self.folder.lstat()
        except (BlockingIOError, FileNotFoundError):
            return False
        return (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino)


def is_name(name: str) -> bool:
    """Can it be the name of a recovery environment?"""
    return _NAME.fullmatch(name) is not None
