"""Reads the oldest and newest codes, with their links and pictures, that the policy's query yields."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from holdfast.drill.checks.asking import answer, columns
from holdfast.errors import UsageError
from holdfast.policy.drill import DrillCodes
from holdfast.postgres.references import normalized, raw
from holdfast.postgres.session import Session

MOST_PICTURE_BYTES = 20 << 20
_NEEDED = ("code", "link", "at")
_BYTEA = 17
# A picture may stand in a text itself, as browsers take it.
_INLINE = "data:"


@dataclass(frozen=True, slots=True)
class CodeRow:
    """One code. Of ``path``, ``data`` and neither: a picture's file below the media folder, its bytes, no picture.

    ``picture_bytes`` counts it even where it is too large to be read.
    """

    code: str | None
    link: str | None
    path: str | None = None
    data: bytes | str | None = None
    picture_bytes: int = 0


def read_codes(session: Session, codes: DrillCodes, source: str) -> tuple[list[CodeRow], list[CodeRow]]:
    """(the oldest, oldest first; the newest, newest first); ``source``: the media's URL, which paths may begin with.

    Raises UsageError where the query lacks a column, and psycopg's errors.
    """
    kinds = columns(session, codes.sql)
    lacking = [name for name in _NEEDED if name not in kinds]
    if lacking:
        raise UsageError(f"codes: the policy's query yields no column named {' and none named '.join(lacking)}")
    picture = _picture(kinds.get("image"), source)
    return _read(session, codes, picture, "ASC"), _read(session, codes, picture, "DESC")


def _read(session: Session, codes: DrillCodes, picture: sql.Composable, direction: str) -> list[CodeRow]:
    query = sql.SQL(
        "SELECT asked.code::pg_catalog.text, asked.link::pg_catalog.text, {}"
        " FROM ({}\n) AS asked ORDER BY asked.at {} NULLS LAST, 1 {} LIMIT {}"
    ).format(picture, raw(codes.sql), sql.SQL(direction), sql.SQL(direction), sql.Literal(codes.each))
    return [_row(*row) for row in answer(session, query).rows]


def _picture(kind: int | None, source: str) -> sql.Composable:
    """SQL for the kind of the picture (b, d, p), its bytes and what is read of it."""
    if kind is None:
        return sql.SQL("NULL, NULL, NULL")
    read: sql.Composable
    if kind == _BYTEA:
        told: sql.Composable = sql.SQL("'b'")
        column = read = sql.SQL("asked.image")
    else:
        column = sql.SQL("asked.image::pg_catalog.text")
        is_inline = sql.SQL("pg_catalog.left({}, {}) = {}").format(
            column, sql.Literal(len(_INLINE)), sql.Literal(_INLINE)
        )
        told = sql.SQL("CASE WHEN {} THEN 'd' ELSE 'p' END").format(is_inline)
        read = sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(is_inline, column, normalized(column, source))
    size = sql.SQL("pg_catalog.octet_length({})").format(column)
    return sql.SQL("{}, {}, CASE WHEN {} <= {} THEN {} END").format(
        told, size, size, sql.Literal(MOST_PICTURE_BYTES), read
    )


def _row(code: str | None, link: str | None, kind: str | None, size: str | None, read: str | None) -> CodeRow:
    if size is None or kind is None:
        return CodeRow(code, link)
    if kind == "p":
        # An empty text is no picture to most applications.
        return CodeRow(code, link, path=read or None, picture_bytes=int(size))
    data = bytes.fromhex(read[2:]) if kind == "b" and read is not None else read
    return CodeRow(code, link, data="" if data is None else data, picture_bytes=int(size))
