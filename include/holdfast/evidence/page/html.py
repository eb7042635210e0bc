"""HTML that cannot be broken out of: text becomes markup through ``tag`` alone, which escapes it."""

from __future__ import annotations

from collections.abc import Iterable

from holdfast.evidence.visible import escaped

_VOID = frozenset(("meta", "rect", "line"))


class Html(str):
    """Finished markup; every other text is escaped where it is put into a tag."""

    __slots__ = ()


Content = str | Iterable[str]


def tag(name: str, /, *content: Content, **attributes: str | int | float | None) -> Html:
    """An element. ``class_`` and ``aria_label`` are written as ``class`` and ``aria-label``; None leaves one out.

    >>> tag("p", "a < b", class_="note")
    '<p class="note">a &lt; b</p>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Html(f"<{name}{written}>" if name == "meta" else f"<{name}{written}/>")
    return Html(f"<{name}{written}>{joined(*content)}</{name}>")


def joined(*content: Content) -> Html:
    """Pieces after one another; text among them is escaped."""
    return Html("".join(_markup(piece) for each in content for piece in ((each,) if isinstance(each, str) else each)))


def _markup(piece: str) -> str:
    return piece if isinstance(piece, Html) else escaped(piece)


def section(title: str, *content: Content) -> Html:
    """A part of the page under a heading."""
    return tag("section", tag("h2", title), *content)


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, figures_in: Iterable[int] = ()) -> Html:
    """A table; the columns numbered in ``figures_in`` hold figures and stand to the right."""
    right = frozenset(figures_in)

    def row(cells: Iterable[str], kind: str) -> Html:
        return tag(
            "tr",
            (
                tag(kind, cell, class_="figure" if column in right else None, scope="col" if kind == "th" else None)
                for column, cell in enumerate(cells)
            ),
        )

    return tag(
        "div",
        tag("table", tag("thead", row(head, "th")), tag("tbody", (row(cells, "td") for cells in rows))),
        class_="scroll",
    )


def folded(summary: str, *content: Content, is_open: bool = False) -> Html:
    """What most readers need not see at once."""
    return tag("details", tag("summary", summary), *content, open="" if is_open else None)
