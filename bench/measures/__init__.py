"""The measures, by the names that they are called by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from bench.figures import Result
from bench.measures import (
    backup,
    base,
    dag,
    listing,
    media_memory,
    media_million,
    media_range,
    media_read,
    media_sync,
    memory,
    operations,
    recover,
    restore,
    restore_check,
    startup,
    status,
    verify,
    wal,
)
from bench.session import Session

MEASURES: Mapping[str, Callable[[Session], Result]] = MappingProxyType(
    {
        "backup": backup.measure,
        "restore": restore.measure,
        "restore-check": restore_check.measure,
        "switch": operations.measure_switch,
        "rows": operations.measure_rows,
        "base": base.measure,
        "recover": recover.measure,
        "wal": wal.measure,
        "memory": memory.measure,
        "verify": verify.measure,
        "list": listing.measure,
        "status": status.measure,
        "help": startup.measure,
        "dag": dag.measure,
        "media-sync": media_sync.measure,
        "media-read": media_read.measure,
        "media-range": media_range.measure,
        "media-memory": media_memory.measure,
        "media-million": media_million.measure,
    }
)

ONLY_ON_REQUEST = frozenset({"media-million"})
"""Measures that take long, or fill the disk with a million files."""
