"""A recovery environment at work: its server runs, its commands are confined, and it ends with the block."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from psycopg import sql

from holdfast.errors import DrillError, PermanentError
from holdfast.manifest.evidence import Confinement, Surroundings
from holdfast.postgres.binaries import major_of
from holdfast.postgres.conninfo import Target
from holdfast.postgres.session import connect, translated
from holdfast.recovery.application_role import application_of, hand_over_database, restorer_of
from holdfast.recovery.cluster import Cluster
from holdfast.recovery.commands import CommandOutcome, run_command
from holdfast.recovery.confinement import Confined, confine
from holdfast.recovery.handover import hand_over
from holdfast.recovery.orphans import end_all_in
from holdfast.recovery.place import Place, boot_id, host_id
from holdfast.recovery.preparation import unusable
from holdfast.recovery.programs import ServerPrograms
from holdfast.recovery.record import Made, read_made, read_server
from holdfast.recovery.removal import drop_database
from holdfast.recovery.throwaway import throwaway_cluster
from holdfast.recovery.url import url_of

_MAINTENANCE = "template1"


class Recovery:
    """A recovery environment whose server can be reached; ``opened_recovery`` makes one.

    ``ready_seconds`` is how long making it and starting its server took together.
    """

    def __init__(self, place: Place, made: Made, server: Target, *, lock: int, ready_seconds: float) -> None:
        self._place = place
        self._made = made
        self._server = server
        self._lock = lock
        self.ready_seconds = ready_seconds
        self._confined: Confined | None = None
        with connect(server) as session:
            self.server_version = session.info.parameter_status("server_version") or str(made.server_major)

    @property
    def name(self) -> str:
        """Its name on this host."""
        return self._place.name

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._place.folder

    @property
    def media(self) -> Path:
        """The folder for restored files."""
        return self._place.media

    @property
    def home(self) -> Path:
        """The commands' own folder: their HOME, and a place to run in where the application has none."""
        return self._place.home

    @property
    def is_throwaway(self) -> bool:
        """Is its server one that goes with it?"""
        return self._made.programs is not None

    @property
    def database(self) -> str:
        """The database's name."""
        return self._made.database

    @property
    def target(self) -> Target:
        """The database, which need not exist yet."""
        return self._server.with_database(self.database)

    @property
    def url(self) -> str:
        """The database as a postgresql:// URL, with the password in it.

        The name of a host stands before the socket's folder, which outranks it, because some drivers demand one.
        """
        return url_of(self.target)

    @property
    def application_url(self) -> str:
        """The same for the application's commands: after ``hand_over`` its role owns the database, and is no superuser.

        On a recovery server it is the connection's own role.
        """
        return url_of(application_of(self.target) if self.is_throwaway else self.target)

    def surroundings(self, source_version: str) -> Surroundings:
        """For the evidence, against the version that the backup was taken from."""
        return Surroundings(
            server_version=self.server_version,
            is_throwaway=self.is_throwaway,
            is_same_major=major_of(self.server_version) == major_of(source_version),
            ready_seconds=self.ready_seconds,
            confinement=self._confined.proof if self._confined else None,
        )

    def reset_database(self) -> None:
        """Drop the database, so that it can be restored again."""
        drop_database(self._server, self.database)

    def ensure_roles(self, names: Iterable[str]) -> None:
        """Roles that restored objects belong to or are granted to; none can log in. Only on a throwaway server."""
        if not self.is_throwaway:
            return
        with connect(self._server) as session, translated(self._server, "making the roles that the backup names"):
            there = {name for (name,) in session.execute("SELECT rolname FROM pg_catalog.pg_roles").fetchall()}
            for name in sorted(set(names) - there):
                # The system's own roles cannot be made; those that this version lacks are pg_restore's to tell.
                if name and not name.startswith("pg_") and name not in ("public", "none"):
                    session.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(name)))

    def hand_over(self) -> None:
        """Give all that was restored to the application's role, before the first command; may be repeated."""
        if self.is_throwaway:
            hand_over_database(self.target)

    def confine(self, network: str) -> Confinement:
        """Prove what commands can reach. Raises DrillError where ``isolated`` cannot be had."""
        if network == "isolated" and not all(
            host.startswith("/") for host in filter(None, self._server.host.split(","))
        ):
            raise DrillError(
                f"network isolated: the commands could not reach the recovery server {self._server.describe()} either",
                hint="With a recovery server on the network, say `network: isolated-host` in the policy.",
            )
        if self._confined is None or self._confined.proof.network != network:
            self._confined = confine(network, self._place.account)
        return self._confined.proof

    def run(
        self,
        command: str,
        *,
        cwd: Path,
        env: Mapping[str, str],
        network: str,
        timeout_s: float,
        secrets: Iterable[str] = (),
    ) -> CommandOutcome:
        """Run one of the application's commands; raises DrillError where it cannot be confined or started."""
        self.confine(network)
        assert self._confined is not None
        hand_over(self.media, self._place.account)
        hidden = (*secrets, *self._server.secrets, *application_of(self._server).secrets, self.url)
        return run_command(
            self._place,
            self._confined,
            command,
            cwd=cwd,
            env=env,
            timeout_s=timeout_s,
            secrets=hidden,
            lock=self._lock,
        )


@contextmanager
def opened_recovery(root: Path, name: str) -> Iterator[Recovery]:
    """Use a recovery environment that was prepared; a throwaway server runs as long as the block does.

    Raises DrillError where it is not on this host, not whole, or in use.
    """
    place = Place.of(root, name)
    with place.held() as lock:
        made = read_made(place)
        if made is None:
            raise DrillError(
                f"recovery environment {name}: was never finished",
                hint="Run the task that makes it again.",
            )
        if made.host != host_id():
            raise DrillError(
                f"recovery environment {name}: was made on another host ({made.host.split()[0]})",
                hint="All of a drill's tasks must run on one recovery host.",
            )
        if made.programs is not None and made.boot != boot_id():
            raise DrillError(
                f"recovery environment {name}: the machine was restarted since, and its cluster may have lost writes",
                hint="Start the drill anew.",
            )
        place.record.touch()
        if made.programs is None:
            yield _on_server(place, made, lock)
        else:
            programs = ServerPrograms(Path(made.programs), made.server_major)
            yield from _with_throwaway(place, made, throwaway_cluster(place, programs, made.superuser), lock)


def _on_server(place: Place, made: Made, lock: int) -> Recovery:
    begun = time.monotonic()
    server = read_server(place)
    if server is None:
        raise DrillError(f"recovery environment {place.name}: how to reach its server is lost")
    recovery = Recovery(place, made, server, lock=lock, ready_seconds=0.0)
    recovery.ready_seconds = round(made.seconds + time.monotonic() - begun, 3)
    return recovery


def _with_throwaway(place: Place, made: Made, cluster: Cluster, lock: int) -> Iterator[Recovery]:
    begun = time.monotonic()
    if made.superuser is not None and not (cluster.data / "PG_VERSION").exists():
        raise DrillError(
            f"recovery environment {place.name}: nothing has been recovered into it",
            hint="Run the task that recovers to the instant again.",
        )
    try:
        place.make_socket_folder()
        end_all_in([cluster.data])
        cluster.start()
    except (PermanentError, OSError) as error:
        raise unusable(place, error.message if isinstance(error, PermanentError) else str(error)) from error
    try:
        server = Target(
            {
                "host": str(place.socket),
                "port": "5432",
                "user": cluster.superuser,
                "dbname": _MAINTENANCE,
            }
        )
        if made.superuser is None:
            server = server.with_parameters(password=cluster.password)
        seconds = round(made.seconds + time.monotonic() - begun, 3)
        login = restorer_of(server) if made.superuser is None else server
        yield Recovery(place, made, login, lock=lock, ready_seconds=seconds)
    finally:
        cluster.stop()
