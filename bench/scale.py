"""How much data is measured: the reference that the targets are set for, or little of it to try the bench itself."""

from __future__ import annotations

from dataclasses import dataclass

BLOB_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of everything that is made; targets are judged at the reference scale only."""

    name: str
    pgbench_scale: int
    events: int
    blobs: int
    restore_points: int
    is_judged: bool = False


SCALES = {
    scale.name: scale
    for scale in (
        Scale("reference", 60, 1_500_000, 131_072, 10_000, is_judged=True),
        Scale("small", 2, 50_000, 2_048, 300),
    )
}
