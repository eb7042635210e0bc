"""Where a database is and how to log in: read from URLs, key=value text and connections; shown without secrets."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import psycopg
from psycopg.conninfo import make_conninfo

from holdfast.errors import UsageError
from holdfast.postgres.dialects import driver_names, is_url, libpq_url
from holdfast.postgres.keywords import KEYWORDS, SECRET_KEYWORDS, UNPASSABLE, VARIABLES
from holdfast.redaction import KNOWN, spellings
from holdfast.values.connection import Connection, Connections, port_number

_SCHEMES = ("postgres", "postgresql")


@dataclass(frozen=True, slots=True)
class Target:
    """One database of one server. Neither ``repr`` nor ``str`` nor ``describe`` shows a secret."""

    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``postgres://…``, ``postgresql://…`` (also with ``+driver``) or libpq's ``key=value`` form.

        Source: PostgreSQL manual, "Connection Strings". Raises UsageError, never quoting the text.
        """
        given = _parsed(libpq_url(text))
        if given is not None and not _has_spilt(given):
            _demand_ports("database address", given.get("port", ""))
        if given is None or not _is_plausible(given):
            # Outside of the handler: libpq's own error quotes the text, and must not even be this one's context.
            raise UsageError(
                "database address: neither a postgres:// URL nor key=value text that libpq can read",
                hint="In a URL the characters @ : / % # ? and spaces of a user or password must be "
                "percent-encoded, such as %40 for @.",
            )
        return cls._of(given)

    @classmethod
    def from_connection(cls, connection: Connection) -> Target:
        """The database that an Airflow connection leads to.

        Of its extra, libpq's own keywords are kept and all else is left to those it is meant for; but nothing
        that speaks of TLS is passed over in silence.
        """
        if connection.conn_type not in (*_SCHEMES, ""):
            raise UsageError(
                f"connection {connection.conn_id}: of type {connection.conn_type}, not postgres",
                hint="Name a connection of the type Postgres.",
            )
        fields = {
            "host": connection.host,
            "port": connection.port,
            "user": connection.login,
            "password": connection.password,
            "dbname": connection.schema,
        }
        extra = {name: _as_text(value) for name, value in driver_names(connection.extra) if name in KEYWORDS}
        given = {name: str(value) for name, value in fields.items() if value not in (None, "")}
        _demand_ports(f"connection {connection.conn_id}", given.get("port", ""))
        return cls._of({name: value for name, value in extra.items() if value} | given)

    @classmethod
    def _of(cls, parameters: Mapping[str, str]) -> Target:
        """With what libpq would add from PG* variables: children get a made environment, and must see the same."""
        if "replication" in parameters:
            raise UsageError("database address: replication= cannot be used for backups and restores of one database")
        if "service" in parameters or "PGSERVICE" in os.environ:
            # A service file outranks the variables by which children are told where to connect.
            raise UsageError(
                "database address: a libpq service (service=, PGSERVICE) cannot be used",
                hint="Write host, user and database into the connection, and unset PGSERVICE.",
            )
        if is_url(parameters.get("dbname", "")):
            raise UsageError("database address: the database's name is itself a URL")
        if any("\0" in value for value in parameters.values()):
            raise UsageError("database address: holds a zero byte")
        # The encoding is chosen by the code that connects, and pg_dump would take it for the archive's.
        kept = {name: value for name, value in parameters.items() if name != "client_encoding"}
        target = cls(dict(_inherited(kept)) | kept)
        KNOWN.learn(f"database {target.describe()}", target.secrets, names=(target.user, target.database, target.host))
        return target

    def get(self, keyword: str) -> str | None:
        """The value of one of libpq's keywords, None when it is not set."""
        return self.parameters.get(keyword)

    @property
    def host(self) -> str:
        """Host, folder of the socket, or the list of hosts as given; empty for libpq's default."""
        return self.get("host") or self.get("hostaddr") or ""

    @property
    def port(self) -> str:
        """The port, or the list of ports as given."""
        return self.get("port") or "5432"

    @property
    def user(self) -> str:
        """Who logs in; empty for the operating system's user."""
        return self.get("user") or ""

    @property
    def database(self) -> str:
        """The database's name; libpq's default is that of the user."""
        return self.get("dbname") or self.user

    @property
    def secrets(self) -> tuple[str, ...]:
        """All that must never be shown, as it is and as a URL may spell it."""
        values = (self.parameters[name] for name in SECRET_KEYWORDS if name in self.parameters)
        return tuple(form for value in values for form in spellings(value))

    def describe(self) -> str:
        """For people: ``alice@db.example.com:5432/shop``."""
        user = f"{self.user}@" if self.user else ""
        return f"{user}{self.host or 'local socket'}:{self.port}/{self.database}"

    def __str__(self) -> str:
        return self.describe()

    def conninfo(self) -> str:
        """For psycopg; holds secrets."""
        return make_conninfo("", **self.parameters)

    def environment(self) -> dict[str, str]:
        """PG* variables that make a child connect here, the only way secrets reach children; holds secrets.

        Raises UsageError for a keyword that has no variable and without which the child would not connect.
        """
        for name in UNPASSABLE & self.parameters.keys():
            raise UsageError(
                f"database {self.describe()}: {name} cannot be handed to pg_dump and pg_restore",
                hint="PostgreSQL's programs read it from no environment variable; use a key file without a passphrase.",
            )
        return {VARIABLES[name]: value for name, value in self.parameters.items() if name in VARIABLES}

    def with_database(self, name: str) -> Target:
        """The same login in another database."""
        return self.with_parameters(dbname=name)

    def with_parameters(self, **changed: str | None) -> Target:
        """Some keywords changed; those given as None are taken away."""
        merged = dict(self.parameters) | changed
        return replace(self, parameters={name: value for name, value in merged.items() if value is not None})


_CONN_ID = re.compile(r"[A-Za-z0-9_.-]+")


def resolve(text: str, connections: Connections) -> Target:
    """The database that a URL, key=value text, or else the id of a connection names."""
    if "://" in text or "=" in text:
        return Target.parse(text)
    if not _CONN_ID.fullmatch(text):
        # It may be an address with a slip in it, and hold a password: nothing of it is repeated.
        raise UsageError(
            "target: neither the id of a connection nor an address",
            hint="Give a connection id, or a URL such as postgresql://user:password@host:5432/database.",
        )
    return Target.from_connection(connections.get(text))


def _parsed(text: str) -> dict[str, str] | None:
    try:
        options = psycopg.pq.Conninfo.parse(text.encode())
    except (psycopg.Error, UnicodeEncodeError):
        return None
    return {each.keyword.decode(): each.val.decode() for each in options if each.val is not None}


def _is_plausible(parameters: Mapping[str, str]) -> bool:
    """Is nothing where a password with a bare @ or : in it would have spilled to? Shown, it would give it away."""
    ports = parameters.get("port", "").split(",")
    hosts = parameters.get("host", "").split(",")
    return all(not port or port.isdecimal() for port in ports) and not any("@" in host[1:] for host in hosts)


def _has_spilt(parameters: Mapping[str, str]) -> bool:
    """Was a password cut at a bare @, / or ?: is what followed it, with the @ before the host, anywhere else?"""
    return any("@" in value for name, value in parameters.items() if name not in {"user", *SECRET_KEYWORDS})


def _demand_ports(what: str, ports: str) -> None:
    """Raise UsageError for a port that is none, without the text that stands there, for it may be half a password."""
    if any(port and port_number(port) is None for port in ports.split(",")):
        raise UsageError(
            f"{what}: port is not a number from 1 to 65535",
            hint="Correct it; special characters in user name and password must be percent-encoded.",
        )


def _inherited(given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for keyword, variable in VARIABLES.items():
        inherited = os.environ.get(variable)
        if inherited and keyword not in given and keyword not in ("client_encoding", "application_name"):
            yield keyword, inherited


def _as_text(value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return str(value) if isinstance(value, str | int | float) else ""
