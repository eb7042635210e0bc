"""The one folder that holds all state of `make run`: what lies where, and who may read it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.errors import PermanentError

_NEEDED_BYTES = 500 << 20


@dataclass(frozen=True, slots=True)
class State:
    """Paths below the folder, which is open to traverse, for PostgreSQL gives up root to run.

    What is secret lies in folders of mode 0700.
    """

    root: Path

    @property
    def postgres(self) -> Path:
        """The embedded PostgreSQL cluster."""
        return self.root / "postgres"

    @property
    def seaweedfs(self) -> Path:
        """The embedded S3 server's data."""
        return self.root / "seaweedfs"

    @property
    def stores(self) -> Path:
        """Stores in local directories."""
        return self.root / "stores"

    @property
    def media(self) -> Path:
        """The demo's uploaded files: the application's, not Holdfast's."""
        return self.root / "media"

    @property
    def tools(self) -> Path:
        """Node.js and pnpm."""
        return self.root / "tools"

    @property
    def app(self) -> Path:
        """The demo's application, whose commands a drill runs."""
        return self.root / "app" / "coursepedia"

    @property
    def airflow_home(self) -> Path:
        """Airflow's own files."""
        return self.root / "airflow"

    @property
    def logs(self) -> Path:
        """One log file per server, and a folder of task logs."""
        return self.root / "logs"

    @property
    def spool(self) -> Path:
        """WAL on its way to the store."""
        return self.root / "spool"

    @property
    def secrets(self) -> Path:
        """Generated passwords."""
        return self.root / "secrets"

    @property
    def keys(self) -> Path:
        """The demo's key files: without them its restore points cannot be read."""
        return self.root / "keys"

    def prepare(self) -> None:
        """Make the folders; raises PermanentError where the disk is too full to start anything."""
        for folder in (self.root, self.postgres, self.seaweedfs):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        for folder in (self.stores, self.media, self.spool, self.airflow_home, self.logs, self.secrets, self.keys):
            folder.mkdir(mode=0o700, exist_ok=True)
            folder.chmod(0o700)
        free_bytes = shutil.disk_usage(self.root).free
        if free_bytes < _NEEDED_BYTES:
            raise PermanentError(f"{self.root}: {free_bytes >> 20} MiB are free, {_NEEDED_BYTES >> 20} MiB are needed")

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for one run; raises PermanentError while another run has it.

        The lock belongs to the open file, which a fork inherits and an exec does not: it is given up when
        the last of our own processes is gone, however it ended.
        """
        with (self.root / "run.lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                file.seek(0)
                raise PermanentError(f"another `make run` (process {file.read()}) is up in {self.root}") from error
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield
