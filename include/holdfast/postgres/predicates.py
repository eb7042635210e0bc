"""A condition on rows that a person has typed: one SQL expression and nothing beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from holdfast.errors import UsageError
from holdfast.postgres.session import Session

_LONGEST = 4000
_CLOSING = {"(": ")", "[": "]"}
# What PostgreSQL takes for one token (manual, "Lexical Structure"); the first that fits at a place counts. A string
# that ends in a backslash, or holds one before a quote, ends elsewhere where standard_conforming_strings is off.
_TOKEN = re.compile(
    r"""(?P<comment>--|/\*)
    |(?P<escapes>[eE]'(?:[^'\\]|\\.|'')*+')
    |(?P<string>'(?:[^'\\]|\\(?!')|'')*+')
    |(?P<dollars>\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?)\$.*?\$(?P=tag)\$)
    |(?P<escaped_name>[uU]&")
    |(?P<quoted>"(?:[^"]|"")++")
    |(?P<name>[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*)
    |(?P<space>[ \t\r\n]+)
    |(?P<stray>['"$;])
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_UNUSABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_STATEMENTS = re.compile(
    r"(select|with|values|table|insert|update|delete|merge|copy|call|do|set|reset|begin|commit|rollback|create|alter|"
    r"drop|truncate|grant|revoke|execute|explain|where)",
    re.IGNORECASE,
)
_STRAY = {
    "'": "a string that does not end, or holds a backslash before a quote (write E'…' for that)",
    '"': "a quoted name that is empty or does not end",
    "$": "a parameter, or a dollar-quoted string that does not end",
    ";": "a semicolon",
}
_VOLATILE = """
SELECT DISTINCT proname::text COLLATE "C" FROM pg_catalog.pg_proc
 WHERE proname = ANY (%s::text[]) AND provolatile = 'v' ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class Predicate:
    """A boolean expression that was found to be whole: it cannot end the parentheses that it is put into.

    ``called`` are the names that stand before a parenthesis as functions do, in the case in which PostgreSQL looks
    them up.
    """

    text: str
    called: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Predicate:
        """Read what a person wrote, such as ``status IS NULL AND "createdAt" >= '2026-01-02'``.

        Raises UsageError for what is empty, too long, a statement, has a comment or a semicolon outside of quotes, or
        quotes or parentheses that do not close. Whether it is a condition on that table is PostgreSQL's to say.
        """
        stripped = text.strip()
        if not stripped:
            raise _refused("is empty")
        if len(stripped) > _LONGEST:
            raise _refused(f"is {len(stripped)} characters long, more than {_LONGEST}")
        if _UNUSABLE.search(stripped):
            raise _refused("holds a control character")
        return cls(stripped, tuple(dict.fromkeys(_called(stripped))))

    @property
    def sql(self) -> sql.Composed:
        """The expression in parentheses.

        For statements without parameters only (write values as sql.Literal): a ``%`` in it stands for itself.
        """
        return sql.SQL("({}\n)").format(sql.SQL(self.text))

    def __str__(self) -> str:
        return self.text


def demand_steady(session: Session, predicate: Predicate) -> None:
    """Raises UsageError where the expression calls a volatile function.

    Such a function may do things that a read-only transaction does not stop (end sessions, read files, reach other
    servers), and may answer otherwise at each look, so that what was approved is not what is done. Every function of
    PostgreSQL's own that acts is marked volatile; names alone are compared, whatever the schema or arguments. What
    the application's own views and operators call is not seen: whoever made those could do it anyway.
    """
    found = [name for (name,) in session.execute(_VOLATILE, (list(predicate.called),))]
    if found:
        raise _refused(f"calls {', '.join(found)}, which may act or answer otherwise each time")


def _called(text: str) -> Iterator[str]:
    """The names before parentheses; raises UsageError where the text is not one whole expression."""
    waiting: list[str] = []
    before: str | None = None
    is_first = True
    for token in _TOKEN.finditer(text):
        kind, said = token.lastgroup, token.group()
        kind = "dollars" if kind == "tag" else kind
        if kind == "space":
            continue
        if kind == "comment":
            raise _refused("has a comment in it")
        if kind == "escaped_name":
            raise _refused('has a name written as U&"…"')
        if kind == "stray":
            raise _refused(f"has {_STRAY[said]}")
        if is_first and kind == "name" and _STATEMENTS.fullmatch(said):
            raise _refused(f"begins with {said}: it is a statement, not a condition")
        is_first = False
        if kind == "mark":
            if said == "(" and before is not None:
                yield before
            _nest(waiting, said)
        before = _looked_up(kind, said)
    if waiting:
        raise _refused(f"lacks a closing {waiting[-1]}")


def _nest(waiting: list[str], mark: str) -> None:
    if mark in _CLOSING:
        waiting.append(_CLOSING[mark])
    elif mark in _CLOSING.values() and (not waiting or waiting.pop() != mark):
        raise _refused(f"has a {mark} that closes nothing")


def _looked_up(kind: str | None, said: str) -> str | None:
    """The name as PostgreSQL folds it; None for what is no name."""
    if kind == "quoted":
        return said[1:-1].replace('""', '"')
    # It folds ASCII letters for sure; others only in encodings of single bytes.
    return "".join(each.lower() if each.isascii() else each for each in said) if kind == "name" else None


def _refused(fault: str) -> UsageError:
    return UsageError(
        f"condition: {fault}",
        hint="Write what would stand behind WHERE, such as: status IS NULL AND \"createdAt\" >= '2026-01-02'",
    )
