"""Reading media back against restic and Borg: checking everything that is stored, and restoring everything."""

from __future__ import annotations

import shutil

from bench.figures import Figure, Result
from bench.peers import MediaTool
from bench.running import Run, run
from bench.session import Session
from bench.trees import read_through, size_below


def measure(session: Session) -> Result:
    """Seconds of each, in turn; every repository is in the page cache."""
    library = session.library
    library.fill()
    target = session.place.files / "restored"
    flushes: dict[str, list[float]] = {tool.name: [] for tool in library.tools}

    def cached(tool: MediaTool) -> None:
        shutil.rmtree(target, ignore_errors=True)
        read_through(tool.repository)

    def restore(tool: MediaTool) -> Run:
        """What a program leaves unwritten is written afterwards, and not counted for it."""
        done = tool.restore(target)
        flushed = run(["sync", "--file-system", str(target)], session.offline.env)
        flushes[tool.name].append(flushed.seconds)
        return done

    checking = library.compare("check everything", lambda tool: tool.check(), cached, limit=0.8)
    restoring = library.compare("restore everything", restore, cached, limit=0.7)
    flushing = tuple(
        Figure.of(f"sync after the restore: {name}", "s", samples[1:] or samples) for name, samples in flushes.items()
    )
    return Result(
        (*checking[0], *restoring[0], *flushing),
        (*checking[1], *restoring[1]),
        (
            f"{size_below(library.tree.root) / 1e6:.0f} MB of files; repositories in the page cache for all",
            "holdfast has flushed what it restored to the disk when it ends; the others have not",
            *library.missing(),
        ),
    )
