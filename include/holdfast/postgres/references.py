"""The media files that the database refers to: the policy's own query, run where it can only read."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from holdfast.errors import DatabaseError, UsageError
from holdfast.postgres.conninfo import Target
from holdfast.postgres.lock_wait import waiting_for_locks
from holdfast.postgres.session import Session, translate

_FIELD = "media_references"
_HINT = "Correct media_references in the policy: one SELECT of one column, which can only read."
_FETCHED_ROWS = 5000
# Longer ones the system has no path for. Nothing longer is fetched, nor normalized from so much: it is no path anyway.
LONGEST_PATH_BYTES = 4096
_NORMALIZED_CHARACTERS = 16384
# Not to be had for the asking again: syntax and names, a write in a read-only transaction, what is not supported.
_QUERYS_FAULT = ("42", "25006", "0A", "22")


class Asked(Protocol):
    """Where the query is run: each session reads one state of the database, and can do nothing else."""

    @property
    def target(self) -> Target:
        """The database that the sessions are of."""
        ...

    def session(self) -> AbstractContextManager[Session]:
        """A new session, in a transaction that cannot write."""
        ...


def check_references(snapshot: Asked, query: str) -> None:
    """Raise DatabaseError (in PostgreSQL's words) or UsageError unless the query can be run and has one column."""
    with _asking(snapshot) as session, session.cursor(name="columns") as cursor:
        cursor.execute(sql.SQL("SELECT * FROM ({}\n) AS asked LIMIT 0").format(raw(query)))
        found = len(cursor.description or ())
    if found != 1:
        raise UsageError(f"{_FIELD}: the query yields {found} columns instead of one", hint=_HINT)


def referenced_paths(snapshot: Asked, query: str, source: str) -> Generator[str, None, None]:
    """The paths below ``source`` (the media's URL) that the query yields in the snapshot, sorted and each once.

    NULL and empty ones are left out; the server sorts, by their bytes in UTF-8. What is longer than
    LONGEST_PATH_BYTES is cut, and stays longer than that.
    """
    with _asking(snapshot) as session, session.cursor(name="paths") as cursor:
        cursor.itersize = _FETCHED_ROWS
        cursor.execute(_paths(query, source))
        for (path,) in cursor:
            yield path


@contextmanager
def _asking(snapshot: Asked) -> Iterator[Session]:
    """A session whose names are looked up as for the application; PostgreSQL's no to the query is the policy's fault.

    Server-side cursors speak the extended protocol, in which a second statement behind a semicolon is refused.
    """
    try:
        with snapshot.session() as session, waiting_for_locks(snapshot.target):
            session.execute("RESET search_path")
            yield session
    except psycopg.Error as error:
        found = translate(error, snapshot.target, _FIELD)
        if (error.sqlstate or "").startswith(_QUERYS_FAULT):
            raise DatabaseError(found.message, hint=found.hint or _HINT) from error
        raise found from error


def normalized(column: sql.Composable, source: str) -> sql.Composed:
    """SQL for a column's path as a media snapshot has it: relative to the source, however the application stores it.

    What is longer than LONGEST_PATH_BYTES is cut, and stays longer than that.
    """
    whole, inner = _prefixes(source)
    text = sql.SQL('{}::pg_catalog.text COLLATE pg_catalog."C"').format(column)
    path: sql.Composable = text
    for prefix in whole:
        path = _without(path, prefix)
    path = sql.SQL("pg_catalog.regexp_replace({}, '^(\\./|/)+', '')").format(path)
    for prefix in inner:
        path = _without(path, prefix)
    return sql.SQL(
        "pg_catalog.left(CASE WHEN pg_catalog.length({text}) > {whole} THEN {text} ELSE {path} END, {longest})"
    ).format(
        text=text,
        path=path,
        whole=sql.Literal(_NORMALIZED_CHARACTERS),
        longest=sql.Literal(LONGEST_PATH_BYTES + 1),
    )


def _paths(query: str, source: str) -> sql.Composed:
    return sql.SQL(
        "SELECT found.path FROM (SELECT DISTINCT {} AS path FROM ({}\n) AS asked (path)) AS found"
        " WHERE found.path <> '' ORDER BY pg_catalog.convert_to(found.path, 'UTF8')"
    ).format(normalized(sql.SQL("asked.path"), source), raw(query))


def _prefixes(source: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What leads to the source: from the root, as a URL or a path; and, for a bucket, its prefix of keys."""
    url = urlsplit(source)
    folder = source.rstrip("/") + "/"
    if url.scheme == "file":
        return (folder, unquote(url.path).rstrip("/") + "/"), ()
    key_prefix = url.path.strip("/")
    return (folder,), ((key_prefix + "/",) if key_prefix else ())


def _without(path: sql.Composable, prefix: str) -> sql.Composed:
    return sql.SQL(
        "CASE WHEN pg_catalog.left({path}, {length}) = {prefix} THEN pg_catalog.substr({path}, {rest}) ELSE {path} END"
    ).format(path=path, prefix=sql.Literal(prefix), length=sql.Literal(len(prefix)), rest=sql.Literal(len(prefix) + 1))


def raw(query: str) -> sql.SQL:
    """The policy's text as it is, without the semicolon that people end a statement with."""
    return sql.SQL(query.strip().rstrip(";"))
