"""The media backup programs that people use instead, each with its defaults and an encrypted repository of its own."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.place import Place
from bench.running import Run, run

_PASSWORD = "correct horse battery staple"


class MediaTool(Protocol):
    """One way to back up a folder of files."""

    name: str
    repository: Path

    def forget(self) -> None:
        """Begin with an empty repository."""

    def sync(self) -> Run:
        """Take a snapshot."""

    def check(self) -> Run:
        """Read everything back."""

    def restore(self, target: Path) -> Run:
        """Restore the last snapshot."""


@dataclass(slots=True)
class Restic:
    """restic; its cache of metadata stays between runs, as it does for its users."""

    program: str
    repository: Path
    source: Path
    env: Mapping[str, str]
    name: str

    def forget(self) -> None:
        shutil.rmtree(self.repository, ignore_errors=True)
        shutil.rmtree(self.env["RESTIC_CACHE_DIR"], ignore_errors=True)
        self._run("init")

    def sync(self) -> Run:
        return self._run("backup", self.source)

    def check(self) -> Run:
        return self._run("check", "--read-data")

    def restore(self, target: Path) -> Run:
        return self._run("restore", "latest", "--target", target)

    def _run(self, *arguments: str | Path) -> Run:
        return run([self.program, "--quiet", "--repo", self.repository, *arguments], self.env)


@dataclass(slots=True)
class Borg:
    """Borg with its faster cipher suite."""

    program: str
    repository: Path
    source: Path
    env: Mapping[str, str]
    name: str
    snapshots: int = 0

    def forget(self) -> None:
        shutil.rmtree(self.repository, ignore_errors=True)
        shutil.rmtree(self.env["BORG_BASE_DIR"], ignore_errors=True)
        Path(self.env["BORG_BASE_DIR"]).mkdir()
        self._run("init", "--encryption=repokey-blake2", self.repository)

    def sync(self) -> Run:
        self.snapshots += 1
        return self._run("create", f"{self.repository}::{self.snapshots}", self.source)

    def check(self) -> Run:
        return self._run("check", "--verify-data", self.repository)

    def restore(self, target: Path) -> Run:
        target.mkdir()
        return run(["env", "-C", target, self.program, "extract", f"{self.repository}::{self.snapshots}"], self.env)

    def _run(self, *arguments: str | Path) -> Run:
        return run([self.program, *arguments], self.env)


def peers(place: Place, source: Path) -> Sequence[MediaTool]:
    """Those that are installed; their names bear their versions."""
    env = {"PATH": os.environ["PATH"], "HOME": str(place.files), "TMPDIR": str(place.files), "LC_ALL": "C.UTF-8"}
    found: list[MediaTool] = []
    if program := shutil.which("restic"):
        own = {"RESTIC_PASSWORD": _PASSWORD, "RESTIC_CACHE_DIR": str(place.files / "restic-cache")}
        name = f"restic {_version(program, 'version', env)}"
        found.append(Restic(program, place.stores / "restic", source, env | own, name))
    if program := shutil.which("borg"):
        own = {"BORG_PASSPHRASE": _PASSWORD, "BORG_BASE_DIR": str(place.files / "borg-base")}
        name = f"borg {_version(program, '--version', env)}"
        found.append(Borg(program, place.stores / "borg", source, env | own, name))
    return found


def _version(program: str, option: str, env: Mapping[str, str]) -> str:
    said = run([program, option], env).output.decode()
    match = re.search(r"\d[\w.]*", said)
    return match[0] if match else said.strip()
