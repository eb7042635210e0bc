"""How much data is measured: the reference that the targets are set for, or little of it to try the bench itself."""

from __future__ import annotations

from dataclasses import dataclass

BLOB_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Scale:
    """Sizes of everything that is made; targets are judged at the reference scale only.

    ``fleet``: numbers of environments, and of restore points of each, that are looked at together.
    ``photos`` and ``clips`` are the files of the media tree, ``crowd`` and ``most_files`` numbers of small files.
    """

    name: str
    pgbench_scale: int
    events: int
    blobs: int
    restore_points: int
    photos: int
    clips: int
    crowd: int
    most_files: int
    large_file_bytes: int
    fleet: tuple[int, int]
    is_judged: bool = False


SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            "reference",
            60,
            1_500_000,
            131_072,
            10_000,
            20_000,
            60,
            200_000,
            1_000_000,
            3 << 30,
            (200, 400),
            is_judged=True,
        ),
        Scale("small", 2, 50_000, 2_048, 300, 2_000, 6, 20_000, 40_000, 300 << 20, (10, 40)),
    )
}
