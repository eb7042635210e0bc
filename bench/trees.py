"""Trees of media files: made for a measure, edited between its rounds, removed after it."""

from __future__ import annotations

import random
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.scale import Scale
from bench.watch import Watch

CLIP_BYTES = 16_700_000
_PHOTO_BYTES = (20_000, 100_000)
_IN_FOLDER = 200
_CROWD_IN_FOLDER = 1000
_CROWD_BYTES = (50, 1500)
_SHARD_PHOTO_BYTES = 100 << 10
_SHARD_CLIP_BYTES = 195 << 20  # beside half of the photos, for two threads pack
_PIECE_BYTES = 1 << 20
_SETTLING_S = 3.0  # longer than the clocks of file systems are coarse: every contender may trust the times it sees


@dataclass(slots=True)
class Tree:
    """A folder of files that no compression makes smaller."""

    root: Path
    photos: list[Path] = field(default_factory=list)
    added: list[Path] = field(default_factory=list)
    edits: int = 0

    def edit(self) -> None:
        """Write 1 % of the photos anew, and add 1 % more."""
        self.edits += 1
        chance = random.Random(1000 + self.edits)
        count = max(1, len(self.photos) // 100)
        folder = self.root / f"added-{self.edits}"
        folder.mkdir()
        for photo in chance.sample(self.photos, count):
            photo.write_bytes(chance.randbytes(photo.stat().st_size))
        for number in range(count):
            self.added.append(folder / f"{number}.jpg")
            self.added[-1].write_bytes(chance.randbytes(chance.randint(*_PHOTO_BYTES)))
        time.sleep(_SETTLING_S)


@contextmanager
def library(root: Path, scale: Scale, watch: Watch) -> Iterator[Tree]:
    """Photos and clips as a learning platform has them: 2.2 GB in 20,060 files at the reference scale."""
    tree = Tree(root)
    chance = random.Random(1)
    with _removed(root), watch.doing(f"making {scale.photos + scale.clips} media files"):
        for number in range(scale.photos):
            folder = root / "photos" / f"{number // _IN_FOLDER:04}"
            if number % _IN_FOLDER == 0:
                folder.mkdir(parents=True)
            tree.photos.append(folder / f"{number}.jpg")
            tree.photos[-1].write_bytes(chance.randbytes(chance.randint(*_PHOTO_BYTES)))
        (root / "clips").mkdir()
        for number in range(scale.clips):
            (root / "clips" / f"{number}.mp4").write_bytes(chance.randbytes(CLIP_BYTES))
        time.sleep(_SETTLING_S)
        yield tree


@contextmanager
def crowd(root: Path, count: int, watch: Watch) -> Iterator[Path]:
    """Very many small files."""
    chance = random.Random(2)
    with _removed(root), watch.doing(f"making {count} small files"):
        for number in range(count):
            folder = root / f"{number // _CROWD_IN_FOLDER:05}"
            if number % _CROWD_IN_FOLDER == 0:
                folder.mkdir(parents=True)
                watch.told(f"{number} of {count}")
            (folder / f"{number}.txt").write_bytes(chance.randbytes(chance.randint(*_CROWD_BYTES)))
        time.sleep(_SETTLING_S)
        yield root


@contextmanager
def large_file(root: Path, size_bytes: int, watch: Watch) -> Iterator[Path]:
    """A folder with one file."""
    chance = random.Random(3)
    with _removed(root), watch.doing(f"making a file of {size_bytes >> 20} MiB"):
        root.mkdir(parents=True)
        with (root / "film.mkv").open("wb") as file:
            for _ in range(size_bytes // _PIECE_BYTES):
                file.write(chance.randbytes(_PIECE_BYTES))
        yield root


@contextmanager
def shard_tree(root: Path, count: int, watch: Watch) -> Iterator[list[Path]]:
    """Photos of 100 KiB, and a clip that fills the rest of a shard of 256 MiB as the engine packs them."""
    chance = random.Random(4)
    with _removed(root), watch.doing(f"making {count} photos and a clip"):
        root.mkdir(parents=True)
        photos = [root / f"photo-{number:04}.jpg" for number in range(count)]
        for photo in photos:
            photo.write_bytes(chance.randbytes(_SHARD_PHOTO_BYTES))
        (root / "z.mp4").write_bytes(chance.randbytes(_SHARD_CLIP_BYTES))
        time.sleep(_SETTLING_S)
        yield photos


def read_through(root: Path) -> None:
    """Read every file below a folder, so that all contenders find theirs in the page cache alike."""
    for folder, _, names in root.walk():
        for name in names:
            with (folder / name).open("rb", buffering=0) as file:
                while file.read(_PIECE_BYTES):
                    pass


def size_below(root: Path) -> int:
    """Bytes of all files below a folder."""
    return sum((folder / name).stat().st_size for folder, _, names in root.walk() for name in names)


@contextmanager
def _removed(root: Path) -> Iterator[None]:
    shutil.rmtree(root, ignore_errors=True)
    try:
        yield
    finally:
        shutil.rmtree(root, ignore_errors=True)
