"""The other tools, called as their users call them, with the very clients that Holdfast uses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.running import Run, run
from holdfast.postgres.conninfo import Target


@dataclass(frozen=True, slots=True)
class Tools:
    """pg_dump, pg_restore and gpg on one server; ``bin`` holds the PostgreSQL programs."""

    bin: Path
    server: Target
    home: Path
    env: Mapping[str, str] = field(repr=False)

    @classmethod
    def of(cls, bin: Path, server: Target, files: Path) -> Tools:
        """The tools for ``server``, whose temporary files go to ``files``."""
        home = files / "gnupg"
        home.mkdir(mode=0o700, exist_ok=True)
        basics = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(home), "TMPDIR": str(files)}
        return cls(bin, server, home, basics | {"GNUPGHOME": str(home)} | server.environment())

    def postgres(self, program: str, *arguments: str | Path) -> Run:
        """Run one of PostgreSQL's programs."""
        return run([self.bin / program, *arguments], self.env)

    def dump(self, database: str, file: Path, *options: str) -> Run:
        """``pg_dump -Fc`` into a file."""
        return self.postgres("pg_dump", "-Fc", *options, "-f", file, "-d", database)

    def sync(self, file: Path) -> Run:
        """Have the file on the disk for certain."""
        return run(["sync", file], self.env)

    def gpg(self, file: Path) -> Run:
        """Encrypt a file with a passphrase, as backup guides prescribe it."""
        passphrase = self.home / "passphrase"
        passphrase.write_text("correct horse battery staple\n")
        passphrase.chmod(0o600)
        options = ("--batch", "--yes", "--pinentry-mode", "loopback", "--passphrase-file", passphrase)
        return run(["gpg", "--symmetric", "--cipher-algo", "AES256", *options, file], self.env)

    def end_agent(self) -> None:
        """End the agent that gpg starts and leaves running: it serves all rounds, as it would all backups."""
        run(["gpgconf", "--kill", "gpg-agent"], self.env)

    def restore(self, database: str, file: Path) -> Run:
        """``createdb`` and ``pg_restore -j2``."""
        made = self.postgres("createdb", "--template=template0", database)
        return made.then(self.postgres("pg_restore", "-j2", "-d", database, file))

    def drop(self, database: str) -> None:
        """Drop a database, if it is there, and bring the server's unwritten pages to the disk."""
        self.postgres("dropdb", "--if-exists", "--force", database)
        self.postgres("psql", "-qXd", "postgres", "-c", "CHECKPOINT")
