"""A plan's Markdown as HTML: headings, lists, tables, code and bold text; all else stays the text that it is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from holdfast.evidence.page.html import Html, joined, table, tag

_LINES_SHOWN = 600
_ITEM = re.compile(r"( *)[-*] (.*)")
_HEADING = re.compile(r"#{1,6} (.*)")
_RULE = re.compile(r"\|(?: *:?-+:? *\|)+")
# A backslash before a sign, code between runs of backquotes of one length, bold text.
_INLINE = re.compile(r"\\([\\`*_{}\[\]<>#|~!&$])|(?<!`)(`+)(?!`)(.+?)(?<!`)\2(?!`)|\*\*(.+?)\*\*")


def plan_html(text: str) -> Html:
    """The text as blocks; what a plan of thousands of lines says further down is left to evidence.json."""
    lines = text.splitlines()
    rest = len(lines) - _LINES_SHOWN
    more = [tag("p", f"… and {rest} more lines; evidence.json has them all.")] if rest > 0 else []
    return joined(_blocks(lines[:_LINES_SHOWN]), more)


def _blocks(lines: Sequence[str]) -> Iterator[Html]:
    for kind, group in groupby(_with_kinds(lines), key=lambda each: each[0]):
        found = [line for _, line in group]
        if kind == "heading":
            yield from (tag("h3", _inline(_HEADING.sub(r"\1", line))) for line in found)
        elif kind == "list":
            yield tag("ul", map(_item, found), class_="notes")
        elif kind == "table":
            yield _table(found)
        elif kind == "code":
            yield tag("pre", Html("\n".join(joined(line) for line in found)))
        elif kind == "text":
            yield tag("p", _inline(" ".join(line.strip() for line in found)))


def _with_kinds(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    is_code = False
    for line in lines:
        if line.lstrip().startswith("```"):
            is_code = not is_code
            # What parts one block of code from the next.
            yield "fence", line
        elif is_code:
            yield "code", line
        else:
            yield _kind_of(line), line


def _kind_of(line: str) -> str:
    if not line.strip():
        return "empty"
    if _HEADING.fullmatch(line):
        return "heading"
    if _ITEM.fullmatch(line):
        return "list"
    return "table" if line.startswith("|") else "text"


def _item(line: str) -> Html:
    found = _ITEM.fullmatch(line)
    indent, said = (found[1], found[2]) if found is not None else ("", line)
    return tag("li", _inline(said), class_="inner" if indent else None)


def _table(lines: Sequence[str]) -> Html:
    rows = [_cells(line) for line in lines if not _RULE.fullmatch(line.strip())]
    if not rows:
        return Html()
    width = max(map(len, rows))
    padded = [[*row, *[""] * (width - len(row))] for row in rows]
    return table(padded[0], padded[1:])


def _cells(line: str) -> list[Html]:
    """A pipe behind a backslash is none; the outer ones hold no cell between them and the edge."""
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [_inline(cell.strip()) for cell in re.split(r"(?<!\\)\|", inner)]


def _inline(text: str) -> Html:
    return joined(_pieces(text))


def _pieces(text: str) -> Iterator[str]:
    end = 0
    for found in _INLINE.finditer(text):
        yield text[end : found.start()]
        end = found.end()
        if found[1] is not None:
            yield found[1]
        elif found[3] is not None:
            yield tag("code", _unpadded(found[3]))
        else:
            yield tag("strong", _inline(found[4]))
    yield text[end:]


def _unpadded(code: str) -> str:
    """A code span that begins or ends with a backquote bears a blank on either side."""
    is_padded = code.startswith(" ") and code.endswith(" ") and bool(code.strip())
    return code[1:-1] if is_padded else code
