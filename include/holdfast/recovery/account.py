"""Which operating-system user a PostgreSQL of ours runs as, and what that user may reach."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import PermanentError

# Names and numbers of capabilities(7): to read and search past permissions; to do everything past them.
_REACHING = (("dac_read_search", 2), ("dac_override", 1))


@dataclass(frozen=True, slots=True)
class Account:
    """A user to run servers as; ``name`` is None for ourselves."""

    name: str | None
    uid: int
    gid: int

    def privileges(self, *needed: Path) -> tuple[str, ...]:
        """The options with which setpriv becomes this user, able to reach ``needed``.

        Below a folder that is closed to others, such as root's home, the user could not even step through
        to its own files. Then it is given the one capability to read and search past permissions: the
        state stays where it is, and no permission of anybody's folder changes.
        """
        if self.name is None:
            return ()
        options = (f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups")
        if all(self._may_step_through(path) for path in needed):
            return options
        capability = _capability_to_reach(self.name, needed)
        # Without the securebit, access(2), by which initdb looks for its sister programs, would ignore it.
        bits = "--securebits=+no_setuid_fixup"
        return (*options, f"--inh-caps=+{capability}", f"--ambient-caps=+{capability}", bits)

    def make_folder(self, path: Path) -> None:
        """A private folder of this user; one that exists is taken over."""
        path.mkdir(parents=True, exist_ok=True)
        if self.name is not None:
            os.chown(path, self.uid, self.gid)
        path.chmod(0o700)

    def write_secret(self, path: Path, text: str) -> None:
        """A file that only this user can read."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            if self.name is not None:
                os.fchown(descriptor, self.uid, self.gid)
            file.write(text)

    def closed_folder(self, path: Path) -> Path | None:
        """The first folder on the way to ``path`` that this user cannot step through; None where the way is open."""
        way = (*reversed(path.parents), path)
        return next((folder for folder in way if folder.is_dir() and not self.may_search(folder)), None)

    def _may_step_through(self, path: Path) -> bool:
        return self.closed_folder(path) is None

    def may_search(self, folder: Path) -> bool:
        """Do the permissions of the folder itself let this user step through?"""
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & 0o100)
        if found.st_gid == self.gid:
            return bool(found.st_mode & 0o010)
        return bool(found.st_mode & 0o001)


def _capability_to_reach(name: str, needed: tuple[Path, ...]) -> str:
    """The least capability that passes closed folders and that we have ourselves: containers lack the first."""
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    held = int(status.partition("CapEff:")[2].split()[0], 16)
    for capability, number in _REACHING:
        if held >> number & 1:
            return capability
    raise PermanentError(
        f"PostgreSQL does not run as root, and the user {name} cannot reach {' or '.join(map(str, needed))}",
        hint="Move the project to a folder that is open to others, such as /srv, or run as an ordinary user.",
    )


def server_account() -> Account:
    """Ourselves; as root, whom PostgreSQL refuses, the user postgres or else nobody."""
    return _first_of("postgres", "nobody")


def recovery_account() -> Account:
    """Ourselves; as root, the user holdfast-recovery or else nobody.

    Never postgres: what the application's commands run as must not be let into the machine's own clusters, whose
    sockets trust that user's name.
    """
    return _first_of("holdfast-recovery", "nobody")


def _first_of(*names: str) -> Account:
    if os.geteuid() != 0:
        return Account(None, os.geteuid(), os.getegid())
    for name in names:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise PermanentError(
        f"PostgreSQL does not run as root, and this machine has neither a user {' nor '.join(names)}",
        hint=f"Create one with `useradd --system {names[0]}`, or run as an ordinary user.",
    )
