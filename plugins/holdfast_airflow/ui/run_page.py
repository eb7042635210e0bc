"""Writes a run's page: plain HTML that needs nothing from anywhere else, every value escaped."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from holdfast.values import figures
from holdfast_airflow.ui import outcome
from holdfast_airflow.ui.evidence import Refusal
from holdfast_airflow.ui.run_facts import RunFacts


def render(run: RunFacts | None) -> str:
    """The page of one run; None gives the page that says there is no such run."""
    if run is None:
        return _template("run.html").render(run=None)
    title, id = outcome.title(run)
    return _template("run.html").render(
        run=run,
        title=title,
        id=id,
        outcome=outcome.sentence(run),
        counts=_counts(run),
        # Relative, since Airflow may be served below any path.
        evidence_page=f"{quote(run.run_id, safe='')}/evidence",
        plan_page=f"{quote(run.run_id, safe='')}/plan",
    )


def render_plan(operation: str, plan: str) -> str:
    """The page of an operation's plan: its Markdown as text, in which nothing is markup."""
    return _template("plan.html").render(operation=operation, plan=plan)


def render_refusal(refusal: Refusal | None) -> str:
    """The page that stands where evidence cannot be shown; None gives the one that says there is no such drill."""
    return _template("refusal.html").render(refusal=refusal)


def _counts(run: RunFacts) -> list[tuple[str, int | float]]:
    """(table, rows) as the run noted them."""
    counts = run.row_counts.object("counts")
    return [(table, rows) for table in counts.fields if (rows := counts.number(table)) is not None]


@cache
def _template(name: str) -> Template:
    environment = Environment(
        loader=PackageLoader("holdfast_airflow", "ui"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(size=figures.size, count=figures.count, seconds=figures.seconds)
    return environment.get_template(name)
