"""All environments of several policy files, side by side: the fault of one never hides another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from holdfast.environment import Environment, open_section
from holdfast.errors import HoldfastError, PolicyError
from holdfast.policy import EnvironmentPolicy, load_policy
from holdfast.values.connection import Connections
from holdfast.watch.finding import SEVERITIES, Finding
from holdfast.watch.judging.runs import policy_broken

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Place:
    """One environment of a policy file."""

    policy_file: Path
    app: str
    environment: str
    policy: EnvironmentPolicy

    @property
    def title(self) -> str:
        """``app/environment``."""
        return f"{self.app}/{self.environment}"

    def open(self, connections: Connections) -> Environment:
        """The opened environment, its policy not loaded again; raises as ``open_section``."""
        return open_section(self.policy_file, self.app, self.environment, self.policy, connections)


@dataclass(frozen=True, slots=True)
class Fleet:
    """The environments of all policy files that can be read, and a finding for each that cannot."""

    places: tuple[Place, ...]
    broken: tuple[Finding, ...]


def fleet_of(policy_files: Sequence[Path], names: Sequence[str] = ()) -> Fleet:
    """The environments in the order of the files; only those of ``names`` where any are given."""
    places: list[Place] = []
    broken: list[Finding] = []
    # One that is named twice would be watched twice at the same time.
    for policy_file in {file.resolve(): file for file in policy_files}.values():
        try:
            policy = load_policy(policy_file)
        except PolicyError as error:
            broken.append(policy_broken(policy_file, error.message))
            continue
        found = [Place(policy_file, policy.app, name, section) for name, section in policy.environments.items()]
        places += [place for place in found if not names or place.environment in names]
    return Fleet(tuple(places), tuple(broken))


def each[T](
    places: Sequence[Place], connections: Connections, act: Callable[[Environment], T], *, only_reads: bool = False
) -> list[tuple[Place, T | None, str | None]]:
    """``act`` on every environment, eight at once: (place, what it returned or None, why it failed or None).

    ``only_reads``: it waits for nothing but stores, so that of local ones threads would only take turns.
    """

    def guarded(place: Place) -> tuple[Place, T | None, str | None]:
        try:
            return place, act(place.open(connections)), None
        except HoldfastError as error:
            return place, None, error.message
        except Exception as error:
            # A fault of our own in one environment must not blind the watch for the others. Its text may hold anything.
            return place, None, f"a fault in holdfast itself: {type(error).__name__}"

    is_local = all(place.policy.store.url.startswith("file:") for place in places)
    with ThreadPoolExecutor(1 if only_reads and is_local else _AT_ONCE, thread_name_prefix="holdfast-watch") as threads:
        return list(threads.map(guarded, places))


def unwatched(place: Place, fault: str) -> Finding:
    """An environment that cannot even be looked at, such as one whose connection is missing."""
    return Finding(
        id=f"{place.title}/store_unreachable/environment",
        thread=f"{place.title}/environment",
        kind="store_unreachable",
        severity=SEVERITIES["store_unreachable"],
        app=place.app,
        environment=place.environment,
        subject="environment",
        text=f"{place.title} cannot be looked at: {fault}",
        since=None,
        meaning="Nothing is known of its backups, and nobody would be told of their faults.",
        advice=f"`holdfast doctor POLICY {place.environment}` shows what is missing.",
        runbook="findings.md#store-unreachable",
    )
