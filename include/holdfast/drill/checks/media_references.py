"""Compares the media files that the restored database refers to with those of the paired snapshot."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import override

from psycopg import IsolationLevel

from holdfast.drill.checks.findings import capped
from holdfast.drill.checks.naming import some
from holdfast.drill.outcome import Outcome, blames_backup
from holdfast.manifest.evidence import Finding
from holdfast.manifest.model import MediaReferences
from holdfast.media.entries import printable, shown
from holdfast.postgres.conninfo import Target
from holdfast.postgres.references import Asked, check_references, referenced_paths
from holdfast.postgres.session import Session, connect, translated

_TIMEOUT = "SET statement_timeout = '15min'"


class _Restored(Asked):
    """The restored database, to which nobody writes: each session sees the same."""

    def __init__(self, target: Target) -> None:
        self._target = target

    @property
    @override
    def target(self) -> Target:
        return self._target

    @override
    def session(self) -> AbstractContextManager[Session]:
        return _reading(self._target)


@contextmanager
def _reading(target: Target) -> Iterator[Session]:
    with connect(target) as session:
        with translated(target, "preparing to read"):
            session.execute(_TIMEOUT)
        session.autocommit = False
        session.read_only = True
        session.isolation_level = IsolationLevel.REPEATABLE_READ
        yield session


def references(target: Target, query: str | None, source: str) -> Generator[bytes]:
    """The paths that the restored database refers to, sorted; none without a query.

    Raises DatabaseError or UsageError where the query cannot be run.
    """
    if query is None:
        return
    restored = _Restored(target)
    check_references(restored, query)
    for path in referenced_paths(restored, query, source):
        yield path.encode()


class Compared:
    """Sorts references without a file into those that the manifest recorded when the backup was taken, and new ones.

    ``recorded`` is what the manifest says, None where nothing was compared then. It names the first thousand missing
    files; where there were more, those that it does not name are told by their number alone.
    """

    def __init__(self, recorded: MediaReferences | None) -> None:
        self._recorded = recorded
        self._named = frozenset(recorded.missing_paths) if recorded is not None else frozenset[str]()
        self._unnamed = 0 if recorded is None else recorded.missing - len(recorded.missing_paths)
        self._known: list[str] = []
        self._new: list[bytes] = []
        self._lost: list[bytes] = []
        self._total = 0

    def add(self, path: bytes, kind: str) -> None:
        """One path with what it is: "both", "missing", "unreferenced" or "lost"."""
        self._total += kind != "unreferenced"
        if kind == "lost":
            self._lost.append(path)
        elif kind == "missing" and shown(path) in self._named:
            self._known.append(_told(path))
        elif kind == "missing":
            self._new.append(path)

    def outcome(self) -> Outcome:
        """New ones are findings, known ones a note."""
        missing = len(self._known) + len(self._new) + len(self._lost)
        return Outcome(
            capped(list(self._findings()), "missing media files"),
            tuple(self._notes()),
            {"media_references": self._total, "media_references_missing": missing},
        )

    @property
    def _are_as_many(self) -> bool:
        """Whether those that the manifest does not name are no more than it counted."""
        return len(self._new) <= self._unnamed

    def _findings(self) -> Iterator[Finding]:
        if not self._are_as_many:
            lacks = "the restored database refers to it, the paired media snapshot has no such file"
            yield from (blames_backup(f"media file {_told(path)}: {lacks}") for path in self._new)
        for path in self._lost:
            yield blames_backup(f"media file {_told(path)}: the database refers to it, it vanished during the backup")

    def _notes(self) -> Iterator[str]:
        count = len(self._known) + (len(self._new) if self._are_as_many else 0)
        if count:
            what = "media files that the database refers to were missing already when the backup was taken"
            yield f"{count} {what}: {some(self._known)}"
        if self._recorded is not None and self._recorded.total != self._total:
            yield (
                f"the database refers to {self._total} media files, when the backup was taken to "
                f"{self._recorded.total}: media_references of the policy has changed, or rows differ"
            )


def _told(path: bytes) -> str:
    text = printable(path)
    return text if len(text) <= 200 else f"{text[:199]}…"
