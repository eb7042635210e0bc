"""Text of others made harmless: what cannot be seen is spelled out, what is markup is escaped."""

from __future__ import annotations

import html
import re

from holdfast.values.visible import visible as on_one_line

_LINKED = re.compile(r"://|www\.|@|mailto:|xmpp:", re.IGNORECASE)
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
_LONGEST = 2000


def visible(text: str) -> str:
    """One line in which nothing hides, cut where it is endless."""
    shown = on_one_line(text)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}… ({len(shown)} characters)"


def escaped(text: str) -> str:
    """Text for HTML, also within quoted attributes."""
    return html.escape(visible(text))


def code(text: str) -> str:
    """A Markdown code span that holds the text as it is; in pieces around pipes, for tables split at these."""
    return r"\|".join(_span(piece) if piece else "" for piece in (visible(text) or " ").split("|"))


def _span(shown: str) -> str:
    ticks = "`" * (max((len(run) for run in re.findall("`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def prose(text: str) -> str:
    """Text for Markdown that stays text; what a renderer would make links of stands in a code span instead."""
    shown = visible(text)
    return code(text) if _LINKED.search(shown) else _MARKUP.sub(r"\\\1", shown)
