"""Writes a run's page: plain HTML that needs nothing from anywhere else, every value escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from holdfast.values import figures
from holdfast_airflow.ui import outcome
from holdfast_airflow.ui.run_facts import RunFacts


def render(run: RunFacts | None) -> str:
    """The page of one run; None gives the page that says there is no such run."""
    if run is None:
        return _template().render(run=None)
    title, id = outcome.title(run)
    return _template().render(run=run, title=title, id=id, outcome=outcome.sentence(run), counts=_counts(run))


def _counts(run: RunFacts) -> list[tuple[str, int | float]]:
    """(table, rows) as the run noted them."""
    counts = run.row_counts.object("counts")
    return [(table, rows) for table in counts.fields if (rows := counts.number(table)) is not None]


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("holdfast_airflow", "ui"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(size=figures.size, count=figures.count, seconds=figures.seconds)
    return environment.get_template("run.html")
