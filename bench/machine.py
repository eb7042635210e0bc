"""The machine that figures were taken on: numbers without it say nothing."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Machine:
    """Processor, memory and versions, and how busy it was just before."""

    processor: str
    cores: int
    memory_gib: float
    kernel: str
    python: str
    load: float

    @classmethod
    def now(cls) -> Machine:
        """This machine at this moment; ``load`` is the average of the last minute."""
        return cls(
            processor=_value(Path("/proc/cpuinfo"), "model name") or platform.machine(),
            cores=len(os.sched_getaffinity(0)),
            memory_gib=round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30), 1),
            kernel=platform.release(),
            python=platform.python_version(),
            load=round(os.getloadavg()[0], 2),
        )

    def as_json(self) -> dict[str, object]:
        """Its fields."""
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.processor}, {self.cores} cores, {self.memory_gib:g} GiB, Linux {self.kernel}, "
            f"Python {self.python}, load before {self.load:g}"
        )


def _value(path: Path, name: str) -> str | None:
    for line in path.read_text().splitlines():
        field, _, value = line.partition(":")
        if field.strip() == name:
            return value.strip()
    return None
