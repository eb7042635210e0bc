"""pgBackRest with an encrypted repository of its own, as its manual sets it up; it reads the server's files itself."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.physical import Physical
from bench.place import Place
from bench.running import Run, run

_CONFIG = """\
[global]
repo1-path={repository}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=correct horse battery staple
repo1-retention-full=2
lock-path={files}/pgbackrest-lock
log-path={files}/pgbackrest-log
spool-path={files}/pgbackrest-spool
process-max=2
compress-type=zst
compress-level=1
start-fast=y
archive-check=n
log-level-console=warn
log-level-file=off

[global:archive-get]
archive-async=y

[bench]
pg1-path={data}
pg1-port={port}
pg1-socket-path={socket}
pg1-user={user}
"""


@dataclass(frozen=True, slots=True)
class PgBackRest:
    """The installed pgBackRest, whose name bears its version."""

    name: str
    config: Path
    repository: Path
    env: dict[str, str]

    @classmethod
    def of(cls, place: Place, physical: Physical) -> PgBackRest | None:
        """For one cluster; None where it is not installed."""
        program = shutil.which("pgbackrest")
        if program is None:
            return None
        # The server that recovers asks for WAL as a user of its own, who cannot step into the other folders.
        folder = place.root / "pgbackrest"
        folder.mkdir(exist_ok=True)
        folder.chmod(0o1777)
        cluster, repository, config = physical.cluster, folder / "repository", folder / "pgbackrest.conf"
        config.write_text(
            _CONFIG.format(
                repository=repository,
                files=folder,
                data=cluster.data,
                port=cluster.port,
                socket=cluster.socket_dir,
                user=cluster.superuser,
            )
        )
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(place.files),
            "LC_ALL": "C.UTF-8",
            "PGPASSWORD": cluster.password,
        }
        version = re.search(r"\d[\w.]*", run([program, "version"], env).output.decode())
        return cls(f"pgBackRest {version[0] if version else ''}", config, repository, env)

    def forget(self) -> None:
        """Begin with an empty repository."""
        shutil.rmtree(self.repository, ignore_errors=True)
        self._run("stanza-create")

    def full(self) -> Run:
        """Take a full backup."""
        return self._run("backup", "--type=full")

    def push(self, segments: Sequence[Path]) -> None:
        """Store WAL, as the server's archive_command would, and let the server's user read all that is stored."""
        for segment in segments:
            self._run("archive-push", str(segment))
        run(["chmod", "-R", "a+rwX", self.config.parent], self.env)

    def restore(self, data: Path) -> Run:
        """Restore the newest backup into a new folder, ready to replay all WAL that there is."""
        data.mkdir()
        return self._run("restore", f"--pg1-path={data}", "--archive-mode=off")

    def _run(self, *arguments: str) -> Run:
        return run(["pgbackrest", f"--config={self.config}", "--stanza=bench", *arguments], self.env)
