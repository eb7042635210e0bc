"""Text of others on one line of a terminal, a log or a page, in which nothing hides."""

from __future__ import annotations


def visible(text: str) -> str:
    """Control, bidirectional and other unprintable characters as their escapes: none steers a terminal."""
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in text)
