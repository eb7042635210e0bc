"""Media snapshots against restic and Borg: the first, one of an unchanged tree, one of a tree with a few edits."""

from __future__ import annotations

from bench.figures import Result, Target
from bench.peers import MediaTool
from bench.session import Session
from bench.trees import read_through, size_below


def measure(session: Session) -> Result:
    """Seconds of each, in turn; the source is in the page cache for all."""
    library = session.library
    tree = library.tree
    size = size_below(tree.root)

    def empty(tool: MediaTool) -> None:
        tool.forget()
        read_through(tree.root)

    def cached(tool: MediaTool) -> None:
        read_through(tree.root)

    seen: dict[str, int] = {}

    def edited(tool: MediaTool) -> None:
        """Every tool meets each edit once, and has a snapshot of the state before."""
        seen[tool.name] = seen.get(tool.name, first_edit) + 1
        if seen[tool.name] > tree.edits:
            tree.edit()
        read_through(tree.root)

    first = library.compare("first sync", lambda tool: tool.sync(), empty, limit=0.6, clears_after=False)
    library.mark_filled()
    stored = {tool.name: size_below(tool.repository) for tool in library.tools}
    unchanged = library.compare("nothing changed", lambda tool: tool.sync(), cached, limit=0.5, clears_after=False)
    first_edit = tree.edits
    changed = library.compare("1 % changed, 1 % new", lambda tool: tool.sync(), edited, limit=0.6, clears_after=False)
    overhead = Target("stored bytes / bytes of the files", stored[library.tools[0].name] / size, 1.03)
    return Result(
        (*first[0], *unchanged[0], *changed[0]),
        (*first[1], *unchanged[1], *changed[1], overhead),
        (
            f"{session.scale.photos + session.scale.clips} files, {size / 1e6:.0f} MB, in the page cache for all",
            "stored: " + ", ".join(f"{name} {count / 1e6:.1f} MB" for name, count in stored.items()),
            *library.missing(),
        ),
    )
