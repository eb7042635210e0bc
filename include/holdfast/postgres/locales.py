"""The locale of a database to be created: that of the source, or the nearest that the server has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from psycopg import sql

from holdfast.manifest.model import SourceFacts

_PROVIDER_SINCE = {"libc": 0, "icu": 150000, "builtin": 170000}
_LOCALE_OPTION = {"icu": "ICU_LOCALE", "builtin": "BUILTIN_LOCALE"}


@dataclass(frozen=True, slots=True)
class Locale:
    """Sorting and character classes of a database; ``name`` is the locale of ICU or of PostgreSQL itself."""

    provider: Literal["libc", "icu", "builtin"]
    collate: str
    ctype: str
    name: str | None = None

    def is_possible(self, server_version: int) -> bool:
        """Does a server of that version know the provider at all?"""
        return server_version >= _PROVIDER_SINCE[self.provider]

    def clause(self, server_version: int) -> sql.Composed:
        """The options of CREATE DATABASE."""
        options: list[sql.Composable] = []
        if server_version >= _PROVIDER_SINCE["icu"]:
            options.append(sql.SQL("LOCALE_PROVIDER {}").format(sql.Identifier(self.provider)))
        options.append(sql.SQL("LC_COLLATE {} LC_CTYPE {}").format(sql.Literal(self.collate), sql.Literal(self.ctype)))
        if self.name is not None:
            options.append(sql.SQL(_LOCALE_OPTION[self.provider]) + sql.SQL(" {}").format(sql.Literal(self.name)))
        return sql.SQL(" ").join(options)

    def __str__(self) -> str:
        name = self.name or (self.collate if self.collate == self.ctype else f"{self.collate} and {self.ctype}")
        return f"locale {name} of {self.provider}"


def candidates(facts: SourceFacts) -> Iterator[Locale]:
    """The source's own locale first, then ever plainer ones; the last exists everywhere."""
    name = facts.locale if facts.locale_provider != "libc" else None
    yield Locale(facts.locale_provider, facts.collate, facts.ctype, name)
    for collate, ctype in ((facts.collate, facts.ctype), *_spellings(facts)):
        yield Locale("libc", collate, ctype)
    if facts.encoding == "UTF8":
        yield Locale("libc", "C.UTF-8", "C.UTF-8")
    yield Locale("libc", "C", "C")


def _spellings(facts: SourceFacts) -> Iterator[tuple[str, str]]:
    """Systems write one locale as en_US.UTF-8, en_US.utf8 or English_United States.1252."""
    for one, other in ((".UTF-8", ".utf8"), (".utf8", ".UTF-8")):
        if facts.collate.endswith(one):
            yield facts.collate.removesuffix(one) + other, facts.ctype.removesuffix(one) + other
