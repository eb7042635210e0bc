"""The media tree that several measures share, with all who back it up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.engine import APP, Engine
from bench.figures import Figure, Target
from bench.peers import MediaTool, Restic
from bench.policy import LIBRARY
from bench.running import Run
from bench.series import Contender, alternate
from bench.trees import Tree
from bench.watch import Watch


@dataclass(slots=True)
class Holdfast:
    """This project, as one of the contenders."""

    engine: Engine
    name: str = "holdfast"

    @property
    def repository(self) -> Path:
        return self.engine.place.stores / APP / LIBRARY

    def forget(self) -> None:
        self.engine.forget(LIBRARY)

    def sync(self) -> Run:
        return self.engine.media("sync", LIBRARY)

    def check(self) -> Run:
        return self.engine.media("check", LIBRARY)

    def restore(self, target: Path) -> Run:
        return self.engine.media("restore", LIBRARY, "latest", "--to", str(target))


@dataclass(slots=True)
class Library:
    """The tree; ``tools``: holdfast first, then the peers that are installed."""

    tree: Tree
    tools: Sequence[MediaTool]
    rounds: int
    watch: Watch
    _filled: set[str] = field(default_factory=set)

    def fill(self) -> None:
        """Have a snapshot of the tree in every repository."""
        for tool in self.tools:
            if tool.name not in self._filled:
                tool.forget()
                self.watch.ran(f"{tool.name}: first snapshot, not measured", tool.sync().seconds)
                self._filled.add(tool.name)

    def compare(
        self,
        act: str,
        once: Callable[[MediaTool], Run],
        clear: Callable[[MediaTool], None],
        *,
        limit: float,
        clears_after: bool = True,
    ) -> tuple[list[Figure], list[Target]]:
        """Seconds and CPU of one act by all, in turn; ``limit`` is for ours over restic's seconds."""
        contenders = [
            Contender(f"{act}: {tool.name}", lambda tool=tool: once(tool), lambda tool=tool: clear(tool))  # type: ignore[misc]
            for tool in self.tools
        ]
        runs = alternate(contenders, self.rounds, self.watch, clears_after=clears_after)
        seconds = [
            Figure.of(contender.name, "s", [done.seconds for done in own])
            for contender, own in zip(contenders, runs, strict=True)
        ]
        cpu = [
            Figure.of(f"CPU, {contender.name}", "s", [done.cpu_seconds for done in own])
            for contender, own in zip(contenders, runs, strict=True)
        ]
        targets = [
            Target(f"{act}: holdfast / {tool.name}", seconds[0].median / figure.median, limit)
            for tool, figure in zip(self.tools, seconds, strict=True)
            if isinstance(tool, Restic)
        ]
        return [*seconds, *cpu], targets

    def mark_filled(self) -> None:
        """Every repository has snapshots now."""
        self._filled.update(tool.name for tool in self.tools)

    def missing(self) -> tuple[str, ...]:
        """What could not be compared with."""
        names = " ".join(tool.name for tool in self.tools)
        return tuple(
            f"{name} is not installed: nothing to compare with" for name in ("restic", "borg") if name not in names
        )
