"""The measures, by the names that they are called by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bench.figures import Result
from bench.measures import backup, dag, listing, memory, restore, startup, verify
from bench.session import Session

MEASURES: Mapping[str, Callable[[Session], Result]] = MappingProxyType(
    {
        "backup": backup.measure,
        "restore": restore.measure,
        "memory": memory.measure,
        "verify": verify.measure,
        "list": listing.measure,
        "help": startup.measure,
        "dag": dag.measure,
    }
)
