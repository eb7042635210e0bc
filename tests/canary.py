"""Secrets that sing: values made for one test, and the search for them in all that leaves a process."""

from __future__ import annotations

import base64
import json
import os
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

# They need the database's password, and get it by libpq's variables.
_CLIENTS = ("pg_dump", "pg_dumpall", "pg_restore", "psql", "pg_basebackup", "pg_receivewal", "pg_amcheck")
_VARIABLES = ("PGPASSWORD", "PGSSLPASSWORD")
_GIVEN = "AIRFLOW_CONN_"
_SAMPLE_EVERY_S = 0.02


@dataclass(frozen=True)
class Canary:
    """One secret. Its middle survives every encoding of the rest, but for base64."""

    name: str
    value: str
    middle: str

    @classmethod
    def hatch(cls, name: str) -> Canary:
        """A password of this run alone, with characters that URLs, JSON, HTML and shells write in other ways."""
        middle = f"Kn4ri{name}{secrets.token_hex(4)}"
        return cls(name, f"ca/na+ry@%#:'&é{middle}\"?= \\z", middle)

    @classmethod
    def token(cls, name: str) -> Canary:
        """One of letters and digits only, such as stands in a URL's path."""
        middle = f"Kn4ri{name}{secrets.token_hex(8)}"
        return cls(name, middle, middle)

    @classmethod
    def card(cls) -> Canary:
        """The number of a payment card, grouped as it is printed."""
        number = "4929" + "".join(secrets.choice("123456789") for _ in range(11))
        digits = [int(digit) for digit in reversed(number)]
        total = sum(digits[1::2]) + sum(sum(divmod(2 * digit, 10)) for digit in digits[::2])
        number += str(-total % 10)
        return cls("card", " ".join(number[at : at + 4] for at in range(0, 16, 4)), number)

    @property
    def encoded(self) -> str:
        """As a URL needs it."""
        return quote(self.value, safe="")

    @cached_property
    def marks(self) -> tuple[bytes, ...]:
        """Whichever of these is found gives it away."""
        plain = {self.value, self.middle, quote(self.value), self.encoded, json.dumps(self.value)[1:-1]}
        # The bytes before it decide which of three forms base64 gives to its middle.
        padded = (base64.b64encode(b"x" * before + self.middle.encode()) for before in range(3))
        return (*(each.encode() for each in plain), *(each[4:-4] for each in padded))


def hits(channels: Mapping[str, bytes], canaries: tuple[Canary, ...]) -> list[str]:
    """Which canary was seen where, with what stands around it."""
    return [
        f"{canary.name} in {place}: …{content[max(0, at - 200) : at + 120]!r}…"
        for place, content in channels.items()
        for canary in canaries
        if (at := min((found for mark in canary.marks if (found := content.find(mark)) >= 0), default=-1)) >= 0
    ]


def files_below(*folders: Path) -> dict[str, bytes]:
    """Every file, as a channel of its own; one that vanishes meanwhile is none."""
    found = {}
    for path in (path for folder in folders for path in folder.rglob("*")):
        try:
            found[str(path)] = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        except OSError:
            continue
    return found


@dataclass
class Processes:
    """What all processes of the machine showed, in arguments and environments, while it was looked."""

    canaries: tuple[Canary, ...]
    hits: set[str] = field(default_factory=set)
    fed: set[str] = field(default_factory=set)
    """Programs that were seen with a secret in a variable that they need it in."""
    rounds: int = 0

    def sample(self, seen: set[tuple[str, bytes]]) -> None:
        """Look once; an environment is read once for each program that a process becomes."""
        self.rounds += 1
        for number in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - many times a second
            try:
                arguments = _read(f"/proc/{number}/cmdline")
                if (number, arguments) in seen:
                    continue
                environment = _read(f"/proc/{number}/environ")
            except OSError:
                continue
            seen.add((number, arguments))
            self._judge(arguments, environment)

    def _judge(self, arguments: bytes, environment: bytes) -> None:
        told = arguments.replace(b"\0", b" ").decode(errors="replace").strip()
        self.hits.update(hits({f"arguments of {told[:80]}": arguments}, self.canaries))
        if not hits({told: environment}, self.canaries):
            return
        for variable in environment.split(b"\0"):
            found = hits({f"environment of {told[:80]}": variable}, self.canaries)
            if found and self._is_needed(arguments, variable.partition(b"=")[0].decode(errors="replace")):
                self.fed.update(Path(word.decode()).name for word in arguments.split(b"\0") if word)
            else:
                self.hits.update(found)

    @staticmethod
    def _is_needed(arguments: bytes, variable: str) -> bool:
        words = [word.decode(errors="replace") for word in arguments.split(b"\0") if word]
        if "holdfast" in words and variable.startswith(_GIVEN):
            return True  # whoever called the command line exported them
        # pg_dumpall asks pg_dump for its version through a shell: sh -c '"/…/pg_dump" -V'.
        programs = (Path(word.removeprefix('"').partition('"')[0]).name for word in words)
        return variable in _VARIABLES and any(program in _CLIENTS for program in programs)


def _read(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - thousands of times
        return file.read()


@contextmanager
def watched_processes(*canaries: Canary) -> Iterator[Processes]:
    """Look at everybody again and again, as another user of the machine could, and as root."""
    processes, over, seen = Processes(canaries), threading.Event(), set[tuple[str, bytes]]()

    def watch() -> None:
        while not over.is_set():
            processes.sample(seen)
            time.sleep(_SAMPLE_EVERY_S)

    watcher = threading.Thread(target=watch, name="watches processes")
    watcher.start()
    try:
        yield processes
    finally:
        over.set()
        watcher.join()
