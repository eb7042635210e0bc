"""Writes a run's page: plain HTML that needs nothing from anywhere else, every value escaped."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from holdfast.values import figures
from holdfast_airflow.ui.run_facts import RunFacts


def render(run: RunFacts | None) -> str:
    """The page of one run; None gives the page that says there is no such run."""
    return _template().render(run=run, outcome=_outcome(run) if run else None)


def _outcome(run: RunFacts) -> tuple[str, str]:
    """(CSS class, sentence) of how the run stands."""
    if run.is_committed and run.state == "failed":
        return "warn", f"The restore point is committed, but {_names(run.failed)} failed."
    if run.is_committed:
        return "good", "The restore point is committed: encrypted, verified and signed."
    if run.state == "failed":
        return "bad", f"There is no restore point: {_names(run.failed)} failed. Its log says why and what to do."
    if run.state == "success":
        return "bad", "There is no restore point: the run was marked a success without its manifest."
    return "wait", "Under way: there is no restore point before its manifest is written."


def _names(tasks: tuple[str, ...]) -> str:
    return ", ".join(tasks) or "the run"


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("holdfast_airflow", "ui"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(size=figures.size, count=figures.count, seconds=figures.seconds)
    return environment.get_template("run.html")
