"""Holdfast as its users run it: a fresh process of the command line for everything that is measured."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from bench.place import Place
from bench.running import Run, run

APP = "bench"
INCLUDE = Path(__file__).resolve().parents[1] / "include"


@dataclass(frozen=True, slots=True)
class Engine:
    """The command line with its policy and connections."""

    place: Place
    env: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, place: Place) -> Engine:
        """An engine that knows no connection yet."""
        basics = {"PATH": os.environ["PATH"], "HOME": str(place.files), "TMPDIR": str(place.files)}
        return cls(place, basics | {"LC_ALL": "C.UTF-8", "PYTHONPATH": str(INCLUDE)})

    def knowing(self, conn_id: str, connection: str) -> Engine:
        """The engine with one connection more, as a URL or JSON."""
        return replace(self, env={**self.env, f"AIRFLOW_CONN_{conn_id.upper()}": connection})

    def command(self, *arguments: str, watches_memory: bool = False) -> Run:
        """Any command line, as it stands."""
        return run([sys.executable, "-m", "holdfast", *arguments], self.env, watches_memory=watches_memory)

    def on(self, command: str, environment: str, *arguments: str, watches_memory: bool = False) -> Run:
        """A command on one environment of the bench's policy, reporting in JSON."""
        policy = str(self.place.policy)
        return self.command(command, policy, environment, *arguments, "--json", watches_memory=watches_memory)

    def backup(self, environment: str, *, watches_memory: bool = False) -> Run:
        """Take a nightly restore point."""
        return self.on("backup", environment, "nightly", watches_memory=watches_memory)

    def media(self, command: str, environment: str, *arguments: str, watches_memory: bool = False) -> Run:
        """A command of ``holdfast media`` on one environment, reporting in JSON."""
        fixed = ("media", command, str(self.place.policy), environment)
        return self.command(*fixed, *arguments, "--json", watches_memory=watches_memory)

    def newest(self, environment: str) -> str:
        """The id of the newest restore point, which is taken if there is none."""
        points = facts(self.on("list", environment))["restore_points"]
        if isinstance(points, list) and points:
            return str(points[-1]["id"])
        return str(facts(self.backup(environment))["id"])

    def forget(self, environment: str) -> None:
        """Remove what a local environment has stored, so that every backup finds the same empty store."""
        shutil.rmtree(self.place.stores / APP / environment, ignore_errors=True)


def facts(done: Run) -> dict[str, object]:
    """The JSON object that a command printed."""
    found: dict[str, object] = json.loads(done.output)
    return found


def seconds_of(runs: Sequence[Run], name: str) -> list[float]:
    """One number of seconds out of the JSON of each run."""
    return [float(str(facts(done)[name])) for done in runs]
