"""Figures as a table for people and as JSON for scripts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.figures import Figure, Result, Target
from bench.machine import Machine
from bench.scale import Scale


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one measure with all that its reader must know."""

    name: str
    scale: Scale
    rounds: int
    machine: Machine
    result: Result

    def write(self, folder: Path) -> Path:
        """Keep it as JSON; a trial at another scale never replaces the reference."""
        path = folder / f"{self.name}{'' if self.scale.is_judged else f'-{self.scale.name}'}.json"
        document = {
            "name": self.name,
            "scale": self.scale.name,
            "rounds": self.rounds,
            "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": self.machine.as_json(),
            "figures": [figure.as_json() for figure in self.result.figures],
            "targets": [target.as_json() for target in self.result.targets] if self.scale.is_judged else [],
            "notes": list(self.result.notes),
        }
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    def show(self, console: Console) -> None:
        """Print figures, targets and notes."""
        table = Table(title=f"{self.name} ({self.scale.name} scale)", title_justify="left")
        table.add_column("measured")
        for heading in ("median", "min .. max", "runs"):
            table.add_column(heading, justify="right")
        table.add_column("target")
        for figure in self.result.figures:
            table.add_row(*_cells(figure))
        for target in self.result.targets:
            table.add_row(*_verdict(target, self.scale.is_judged))
        console.print(table)
        for note in self.result.notes:
            console.print(f"  {note}")
        console.print(f"  {self.machine}", style="dim")


def _cells(figure: Figure) -> tuple[str, ...]:
    name = f"{figure.name} [dim]({figure.note})[/]" if figure.note else figure.name
    spread = f"{_number(min(figure.samples))} .. {_number(max(figure.samples))}"
    return name, f"{_number(figure.median)} {figure.unit}", spread, str(len(figure.samples)), ""


def _verdict(target: Target, is_judged: bool) -> tuple[str, ...]:
    limit = f"{'≤' if target.is_upper else '≥'} {target.limit:g} {target.unit}"
    verdict = "" if not is_judged else " [green]met[/]" if target.is_met else " [red]missed[/]"
    return f"[bold]{target.what}[/]", f"[bold]{_number(target.value)} {target.unit}[/]", "", "", limit + verdict


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"
