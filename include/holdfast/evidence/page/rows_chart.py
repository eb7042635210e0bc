"""Rows expected and found: a chart of the tables that matter most, and a table of all."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence.figures import Counts, counts, differs, gravest_first
from holdfast.evidence.page import words
from holdfast.evidence.page.html import Html, folded, joined, section, table, tag
from holdfast.manifest.evidence import Evidence, TableRows
from holdfast.values import figures

_CHARTED = 20
_TABULATED = 2000


def rows_section(evidence: Evidence) -> Html:
    """The rows of the tables; nothing where none was counted."""
    found = counts(evidence.tables)
    if not found.tables:
        return Html()
    ordered = gravest_first(evidence.tables)
    return section(
        "Rows",
        tag(
            "figure",
            tag("figcaption", _caption(found)),
            tag("div", _bars(ordered[:_CHARTED]), class_="bars"),
        ),
        _all(ordered),
    )


def _caption(found: Counts) -> str:
    tables = f"{figures.count(found.tables)} tables" if found.tables != 1 else "1 table"
    if found.differing:
        verdict = (
            f"{figures.count(len(found.differing))} of {tables} differ: {figures.count(found.rows_found)} rows found, "
            f"{figures.count(found.rows_expected)} expected."
        )
    else:
        verdict = f"{figures.count(found.rows_found)} rows in {tables}, each exactly as in the snapshot of the dump."
    charted = f" The {_CHARTED} gravest and largest are drawn." if found.tables > _CHARTED else ""
    return f"{verdict}{charted} Bars: found; outlines: expected."


def _bars(tables: list[TableRows]) -> Iterator[Html]:
    most = max((_most(each) for each in tables), default=0) or 1
    for each in tables:
        said = _said(each)
        yield tag("span", words.code(each.table))
        yield tag("svg", _bar(each, most), role="img", aria_label=f"{each.table}: {said}", height=18)
        yield tag("span", said, class_="figure off" if differs(each) else "figure")


def _bar(each: TableRows, most: int) -> Iterator[Html]:
    if each.found:
        width = f"{max(each.found / most, 0.002) * 100:.3f}%"
        yield tag("rect", x=0, y=4, width=width, height=10, class_="bad-fill" if differs(each) else "one")
    if each.expected:
        width = f"{max(each.expected / most, 0.002) * 100:.3f}%"
        yield tag("rect", x=0, y=1, width=width, height=16, rx=2, class_="expected")


def _most(each: TableRows) -> int:
    return max(each.expected or 0, each.found or 0)


def _said(each: TableRows) -> str:
    if each.found is None:
        return f"missing, {figures.count(each.expected or 0)} expected"
    if each.expected is None:
        return f"{figures.count(each.found)}, not expected at all"
    if not differs(each):
        return figures.count(each.found)
    return f"{figures.count(each.found)} of {figures.count(each.expected)} ({each.found - each.expected:+,})"


def _all(ordered: list[TableRows]) -> Html:
    shown = ordered[:_TABULATED]
    rows = ((words.code(each.table), _figure(each.expected), _figure(each.found), _verdict(each)) for each in shown)
    rest = len(ordered) - len(shown)
    more = tag("p", f"… and {figures.count(rest)} more; evidence.json names them all.") if rest else ""
    return folded(
        "The tables as figures",
        joined(table(("table", "expected", "found", ""), rows, figures_in=(1, 2)), more),
    )


def _figure(rows: int | None) -> str:
    return "none" if rows is None else figures.count(rows)


def _verdict(each: TableRows) -> Html:
    return tag("span", "differs", class_="chip bad") if differs(each) else tag("span", "equal", class_="soft")
