"""Where the bench keeps what it makes once and uses again."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import PermanentError

_NEEDED_BYTES = 12 << 30


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of one scale. It is open to traverse, for PostgreSQL gives up root to run."""

    results: Path
    scale: str

    @property
    def root(self) -> Path:
        """Everything of this scale but its results."""
        return self.results / self.scale

    @property
    def cluster(self) -> Path:
        """The PostgreSQL cluster with the source databases."""
        return self.root / "postgres"

    @property
    def stores(self) -> Path:
        """Local stores."""
        return self.root / "stores"

    @property
    def many(self) -> Path:
        """The store with very many restore points, which is kept."""
        return self.root / "many"

    @property
    def fleet(self) -> Path:
        """The store with very many environments and its policy files, which are kept."""
        return self.root / "fleet"

    @property
    def seaweedfs(self) -> Path:
        """The S3 server's data."""
        return self.root / "seaweedfs"

    @property
    def keys(self) -> Path:
        """Key files of the measured backups."""
        return self.root / "keys"

    @property
    def files(self) -> Path:
        """Plain files that the other tools write, and everybody's temporary files: one disk for all."""
        return self.root / "files"

    @property
    def media(self) -> Path:
        """Trees of media files, which are removed when they were measured."""
        return self.root / "media"

    @property
    def policy(self) -> Path:
        """The policy file of the measured environments."""
        return self.root / "policy.yaml"

    def prepare(self) -> None:
        """Make the folders and clear what an interrupted bench left; raises PermanentError on a full disk."""
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self.files, self.stores, self.media, self.seaweedfs):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.files, self.stores, self.media, self.many):
            folder.mkdir(mode=0o700, exist_ok=True)
        free_bytes = shutil.disk_usage(self.root).free
        if free_bytes < _NEEDED_BYTES:
            raise PermanentError(f"{self.root}: {free_bytes >> 20} MiB are free, {_NEEDED_BYTES >> 20} MiB are needed")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold all of the bench's folder: two at once would measure each other."""
        self.results.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (self.results / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise PermanentError(f"another bench runs in {self.results}") from error
            os.set_inheritable(file.fileno(), False)
            yield
