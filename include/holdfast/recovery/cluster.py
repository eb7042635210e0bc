"""A PostgreSQL cluster in a folder of ours, on loopback or a socket, that ends when we end."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from psycopg import sql

from holdfast.errors import PermanentError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect
from holdfast.process.child import Command, base_environment, run
from holdfast.process.supervision import Child
from holdfast.recovery.account import Account, server_account
from holdfast.recovery.loopback import unused_port
from holdfast.recovery.orphans import clear_leftovers, is_ready, read_lines

_START_S = 60.0
_STOP_S = 60.0


class Cluster:
    """One PostgreSQL cluster: all it owns lies in ``folder`` (data, password, log, and by default its socket).

    ``port`` is a TCP port on 127.0.0.1, 0 for any free one, None for no TCP at all. ``bin`` is the folder of
    postgres and initdb. ``config`` are server settings. As root the server runs as ``account``: unless given,
    the user postgres, or nobody. ``isolation`` is put before the server's command line: a program that makes it the
    account's, in namespaces of its own, and shuts it down when it is told to. The server shuts down when this
    process dies, however that happens.
    """

    def __init__(
        self,
        folder: Path,
        bin: Path,
        *,
        port: int | None = 0,
        socket_dir: Path | None = None,
        config: Mapping[str, str] | None = None,
        superuser: str = "postgres",
        locale: str = "C.UTF-8",
        account: Account | None = None,
        initdb_options: Sequence[str] = ("--data-checksums",),
        isolation: Sequence[str] = (),
    ) -> None:
        self.folder = folder.absolute()
        self.bin = bin
        self.superuser = superuser
        self.socket_dir = socket_dir if socket_dir or port is not None else self.folder / "socket"
        self.port = port
        self._wants_any_port = port == 0
        self._config = dict(config or {})
        self._locale = locale
        self._account = account or server_account()
        self._initdb_options = tuple(initdb_options)
        self._isolation = tuple(isolation)
        self._child: Child | None = None

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server wrote since it was first started."""
        return self.folder / "server.log"

    @property
    def password(self) -> str:
        """The superuser's generated password."""
        return (self.folder / "password").read_text().strip()

    @property
    def pid(self) -> int:
        """The process id of the postmaster, or of the program that keeps it isolated."""
        return self._running.process.pid

    def is_running(self) -> bool:
        """Is the server up?"""
        return self._child is not None and self._child.is_running()

    def start(self) -> Self:
        """Make the cluster where there is none, start it, and wait until it takes connections.

        A data directory whose server was killed is taken up again. Raises PermanentError with the end of
        the server's log when it does not come up.
        """
        self.initialise()
        clear_leftovers(self.data)
        if self._wants_any_port:
            self.port = unused_port()
        if self.socket_dir is not None:
            self._account.make_folder(self.socket_dir)
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            command = self._isolated(self._command("postgres", *self._settings()))
            self._child = Child(command, stdout=log, stderr=log, death_signal=signal.SIGINT)
        finally:
            os.close(log)
        try:
            self._await_ready()
        except BaseException:
            self._child.end()
            raise
        return self

    def stop(self) -> None:
        """Shut down cleanly, sessions notwithstanding; does nothing when it does not run."""
        if self._child is None:
            return
        try:
            shut_down(self._child, _STOP_S)
        finally:
            self._child = None

    def kill(self) -> None:
        """End it as a crash would: no shutdown, no clean-up."""
        self._running.signal(signal.SIGKILL)
        self._running.wait()

    def url(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """A postgresql:// URL with the password in it; ``user`` is the superuser unless given."""
        login = f"{quote(user or self.superuser, safe='')}:{quote(password or self.password, safe='')}"
        name = quote(database, safe="")
        if self.port is None:
            return f"postgresql://{login}@/{name}?host={quote(str(self.socket_dir), safe='')}"
        return f"postgresql://{login}@127.0.0.1:{self.port}/{name}"

    def create_database(self, name: str) -> str:
        """Create an empty database; returns its URL."""
        with connect(Target.parse(self.url())) as session:
            session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    def __enter__(self) -> Self:
        return self if self.is_running() else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def _running(self) -> Child:
        if self._child is None:
            raise PermanentError(f"PostgreSQL in {self.folder}: is not running")
        return self._child

    def initialise(self) -> None:
        """Make the cluster where there is none.

        It is built beside its place and moved there: a killed initdb must not look like a cluster.
        """
        if (self.data / "PG_VERSION").exists():
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        self._account.make_folder(draft)
        password = self.folder / "password"
        self._account.write_secret(password, secrets.token_urlsafe(24) + "\n")
        options = ["--no-sync"] if self._config.get("fsync") == "off" else []
        command = self._command(
            "initdb",
            *("-D", str(draft), f"--username={self.superuser}", f"--pwfile={password}", "--auth=scram-sha-256"),
            *("--encoding=UTF8", f"--locale={self._locale}", *self._initdb_options, *options),
        )
        run(command, timeout_s=300).require()
        draft.rename(self.data)

    def _isolated(self, command: Command) -> Command:
        """Behind ``isolation``, which needs our own rights and gives them up by itself."""
        return Command((*self._isolation, *command.argv), command.env) if self._isolation else command

    def _settings(self) -> list[str]:
        settings = {
            "listen_addresses": "" if self.port is None else "127.0.0.1",
            "port": str(self.port or 5432),
            "unix_socket_directories": str(self.socket_dir or ""),
            "unix_socket_permissions": "0700",
            "logging_collector": "off",
        } | self._config
        return ["-D", str(self.data), *(f"--{name}={value}" for name, value in settings.items())]

    def _command(self, program: str, *arguments: str) -> Command:
        argv = (str(self.bin / program), *arguments)
        privileges = self._account.privileges(self.bin, self.folder)
        return Command(argv, base_environment() | _libraries(self.bin), privileges=privileges)

    def _await_ready(self) -> None:
        """An isolated one knows itself by another number than we do; there was no such file before it was started."""
        deadline = time.monotonic() + _START_S
        status_file = self.data / "postmaster.pid"
        while time.monotonic() < deadline and self._running.is_running():
            lines = read_lines(status_file)
            is_its_own = bool(self._isolation) or lines[:1] == [str(self.pid)]
            if is_ready(lines) and is_its_own:
                return
            time.sleep(0.02)
        said = self.log.read_text(errors="replace").strip().splitlines()[-5:]
        raise PermanentError(f"PostgreSQL in {self.folder}: did not start: {' / '.join(said)}")


def shut_down(server: Child, patience_s: float) -> None:
    """Shut a server down cleanly, sessions notwithstanding; what is left of it after that time is ended."""
    # Only the postmaster: it tells its own children in the right order.
    server.signal(signal.SIGINT, whole_group=False)
    try:
        server.wait(patience_s)
    finally:
        server.end()


def _libraries(bin: Path) -> dict[str, str]:
    """Extensions such as postgres_fdw would find the system's older libpq before the one beside them."""
    beside = bin.parent / "lib"
    return {"LD_LIBRARY_PATH": str(beside)} if (beside / "libpq.so.5").exists() else {}
