"""The known complaints of a restore: which are harmless and why, and what the others come from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from holdfast.postgres.restore_log import Message


class Kind(Enum):
    """What a complaint means for the restore; only the first two let it pass."""

    BENIGN = "benign"
    SUPPORTING = "supporting entry"
    MISSING_ROLE = "missing role"
    MISSING_EXTENSION = "missing extension"
    MISSING_OBJECT = "missing object"
    ALREADY_EXISTS = "already exists"
    OUT_OF_SPACE = "out of space"
    PERMISSION = "permission"
    CONNECTION_LOST = "connection lost"
    VERSION = "version or setting mismatch"
    DATA = "rows refused"
    UNCLASSIFIED = "unclassified"


HINTS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.MISSING_ROLE: "Create the role first: the restore point's globals artifact holds all roles.",
        Kind.MISSING_EXTENSION: "Install the extension's package on the target server.",
        Kind.MISSING_OBJECT: "Look at the first failure: this one often follows from it.",
        Kind.ALREADY_EXISTS: "Restore into a new database.",
        Kind.OUT_OF_SPACE: "Free space on the target server's disk, or restore on a larger one.",
        Kind.PERMISSION: "Restore as the owner of the database or as a superuser.",
        Kind.CONNECTION_LOST: "Restore again into a new database once the server is reachable.",
        Kind.VERSION: "Restore on a server of the source's major version or a newer one, built with the same features.",
        Kind.DATA: "Do not use the restored database; restore another restore point and report this one.",
    }
)

# Settings that newer clients switch off for themselves and older servers do not know.
_UNNEEDED_SETTINGS = ("transaction_timeout", "idle_session_timeout")


@dataclass(frozen=True, slots=True)
class _Harmless:
    reason: str
    applies: Callable[[Message], bool]


def is_set_up(message: Message) -> bool:
    """Is it about a setting that pg_restore makes for itself in each of its sessions?"""
    found = re.search(r'ERROR:  unrecognized configuration parameter "(\w+)"', message.text)
    return (
        found is not None
        and found[1] in _UNNEEDED_SETTINGS
        and re.fullmatch(rf"SET {found[1]} = 0;", message.command) is not None
    )


def _is_public_schema(message: Message) -> bool:
    is_there = 'ERROR:  schema "public" already exists' in message.text
    return is_there and message.command.strip() == "CREATE SCHEMA public;"


def _is_foreign_comment(message: Message) -> bool:
    is_denied = re.search(r"ERROR:  must be owner of (extension|schema) ", message.text) is not None
    return is_denied and re.match(r"COMMENT ON (EXTENSION|SCHEMA) ", message.command) is not None


def _is_warning(pattern: str) -> Callable[[Message], bool]:
    wanted = re.compile(pattern)
    return lambda message: not message.is_error and wanted.match(message.text) is not None


_HARMLESS = (
    _Harmless("the server has no such time limit that would have to be switched off", is_set_up),
    _Harmless("every new database has the schema public", _is_public_schema),
    _Harmless("a comment on something that the server's owner provides; nothing depends on it", _is_foreign_comment),
    _Harmless(
        "the publication is there; the server does not publish until wal_level is logical",
        _is_warning(r"WARNING:  \"?wal_level\"? is insufficient to publish logical changes"),
    ),
    _Harmless(
        "a restored copy must not start to pull from the source's publisher",
        _is_warning(r"WARNING:  subscription was created, but is not connected"),
    ),
    _Harmless(
        "indexes are built anew by a restore, with the collation that is there",
        _is_warning(r"WARNING:  database \".*\" has a collation version mismatch"),
    ),
    # Last: what really went wrong is an error as well, and rows are counted afterwards.
    _Harmless("the server warned and went on", _is_warning(r"WARNING:  ")),
)

# The first pattern that fits decides: causes stand before what follows from them.
_FAILURES: tuple[tuple[Kind, str, str], ...] = (
    (
        Kind.OUT_OF_SPACE,
        r"No space left on device|could not extend file|disk quota exceeded|could not write to file",
        "the target server's disk is full",
    ),
    (
        Kind.CONNECTION_LOST,
        r"server closed the connection|terminating connection|connection to server .*failed|no connection to the "
        r"server|could not (send data to|receive data from)|SSL connection has been closed|connection timed out|"
        r"the database system is|too many clients|remaining connection slots|lost synchronization|"
        r"a worker process died unexpectedly",
        "the session with the target server broke or did not come about",
    ),
    (
        Kind.MISSING_EXTENSION,
        r"extension \".*\" is not available|could not open extension control file|extension \".*\" does not exist|"
        r"extension \".*\" has no installation script|could not access file \"\$libdir",
        "an extension of the source is not installed on the target server",
    ),
    (Kind.MISSING_ROLE, r"role \".*\" does not exist", "a role of the source is not on the target server"),
    (
        Kind.PERMISSION,
        r"cannot execute .* in a read-only transaction",
        "the target takes no writes: it is a standby, or default_transaction_read_only is on",
    ),
    (
        Kind.PERMISSION,
        r"permission denied|must be (owner|superuser|able to|a member)|must have |only superuser|"
        r"row-level security",
        "the role that restores may not do that",
    ),
    (
        Kind.VERSION,
        r"unrecognized configuration parameter|unsupported version|syntax error|ICU is not supported|"
        r"collation \".*\" for encoding|unrecognized (parameter|option|collation)|does not support|"
        r"not supported (by|in) this build|invalid value for parameter",
        "the target server lacks what the archive asks for",
    ),
    (Kind.ALREADY_EXISTS, r"already exists", "the target held such an object"),
    (
        Kind.MISSING_OBJECT,
        r"does not exist|there is no unique constraint matching",
        "something it needs was not restored",
    ),
    (
        Kind.DATA,
        r"violates |duplicate key|could not create unique index|invalid input syntax|invalid byte sequence|"
        r"COPY failed for table|out of range|value too long|has no equivalent in encoding",
        "the target refused rows of the archive",
    ),
)


def classify(message: Message) -> tuple[Kind, str]:
    """The kind of a message and the reason; UNCLASSIFIED for what is not known here."""
    for harmless in _HARMLESS:
        if harmless.applies(message):
            return Kind.BENIGN, harmless.reason
    for kind, pattern, reason in _FAILURES:
        if re.search(pattern, message.text):
            return kind, reason
    return Kind.UNCLASSIFIED, "not a known complaint"
