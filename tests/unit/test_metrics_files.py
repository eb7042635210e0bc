"""Dashboard, alert rules and documentation name metrics that there are, with labels that these have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from holdfast.metrics.names import METRICS, Metric

PROJECT = Path(__file__).parents[2]
DASHBOARD = json.loads((PROJECT / "deploy/grafana/holdfast.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((PROJECT / "deploy/prometheus/holdfast.rules.yaml").read_text(encoding="utf-8"))
PAGE = (PROJECT / "docs/metrics.md").read_text(encoding="utf-8")
# Their timestamps are drawn instead, which go on growing while nobody reads.
UNUSED = {"holdfast_restore_point_age_seconds", "holdfast_drill_age_seconds"}
# Grafana 11 and later read it without migration.
SCHEMA = 39
CALLS = {"absent", "count", "max", "min", "predict_linear", "sum", "time", "by", "without"}

USE = re.compile(r"(holdfast_\w+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
WORD = re.compile(r"[A-Za-z_]\w*")


def used(expression: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics of an expression, each with the labels that it is chosen by."""
    for name, chosen in USE.findall(expression):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', chosen)))


def left_labels(expression: str) -> set[str]:
    """The labels that the result of an expression has at most."""
    grouped = GROUPING.search(expression)
    if grouped:
        return set(WORD.findall(grouped[1]))
    if re.match(r"(sum|count|min|max|absent)\b", expression) or "- min(" in expression:
        return set()
    return set.intersection(*({*METRICS[name].labels} for name, _ in used(expression)))


def demand_known(expression: str) -> None:
    """Every name is a metric's, a function's or a label's; every label is one that its metric has."""
    places = list(used(expression))
    assert places, expression
    known: set[str] = set()
    for name, labels in places:
        assert name in METRICS, name
        assert not METRICS[name].is_of_tasks, f"{name} is not in Prometheus"
        assert labels <= set(METRICS[name].labels), expression
        known |= set(METRICS[name].labels)
    for group in GROUPING.findall(expression):
        assert set(WORD.findall(group)) <= known, expression
    bare = GROUPING.sub(" ", USE.sub(" ", re.sub(r"\[\d+[smhdw]\]", " ", expression)))
    assert set(WORD.findall(bare)) <= CALLS, expression


def targets() -> list[tuple[str, dict[str, Any]]]:
    """The queries of the dashboard, by the panel's title."""
    return [(panel["title"], target) for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]


@pytest.mark.parametrize(("title", "target"), targets(), ids=lambda value: value if isinstance(value, str) else "")
def test_panel_shows_metrics_that_there_are(title: str, target: dict[str, Any]) -> None:
    """With labels that are left, and for the chosen apps and environments alone."""
    demand_known(target["expr"])
    assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= left_labels(target["expr"]), title
    for _, labels in used(target["expr"]):
        assert {"app", "environment"} <= labels, title
    assert 'app=~"$app"' in target["expr"] and 'environment=~"$environment"' in target["expr"]
    assert target["datasource"]["uid"] == "${datasource}"


def test_every_gauge_is_shown() -> None:
    """Or is named above as one that is not, with the reason."""
    shown = {name for _, target in targets() for name, _ in used(target["expr"])}
    gauges = {metric.name for metric in METRICS.values() if not metric.is_of_tasks}
    assert gauges - shown == UNUSED


def test_dashboard_is_whole() -> None:
    """Panels lie beside and below each other, each once, and variables are asked of metrics that there are."""
    panels = DASHBOARD["panels"]
    assert DASHBOARD["schemaVersion"] >= SCHEMA and DASHBOARD["uid"] and DASHBOARD["title"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells
        assert panel["type"] == "row" or panel["description"], panel["title"]
        references = [target["refId"] for target in panel.get("targets", ())]
        assert len(set(references)) == len(references)
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "app", "environment"]
    for name in ("app", "environment"):
        found = re.fullmatch(r"label_values\((.+), (\w+)\)", variables[name]["query"]["query"])
        assert found and found[2] == name and [metric for metric, _ in used(found[1])] == ["holdfast_up"]


def rules() -> list[Any]:
    """The rules of all groups, each under its name."""
    return [pytest.param(rule, id=rule["alert"]) for group in RULES["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules())
def test_rule_asks_for_metrics_that_there_are(rule: dict[str, Any]) -> None:
    """What its texts name is left of its expression, and its severity is one of ours."""
    demand_known(rule["expr"])
    assert rule["labels"]["severity"] in ("page", "notify")
    texts = " ".join(rule["annotations"].values())
    assert set(re.findall(r"\$labels\.(\w+)", texts)) <= left_labels(rule["expr"])
    assert set(rule["annotations"]) == {"summary", "description"}


def test_silence_is_an_alert() -> None:
    """Of the metrics as a whole, of their reading, of the watch and of a store."""
    silence = {rule["alert"]: rule["expr"] for rule in RULES["groups"][0]["rules"]}
    assert silence["HoldfastMetricsMissing"] == "absent(holdfast_up)"
    for name in ("read_timestamp_seconds", "watch_record_timestamp_seconds"):
        assert any(expression.startswith(f"time() - holdfast_{name} > ") for expression in silence.values())


def row(metric: Metric) -> str:
    """A metric's row on the page."""
    name = metric.stat if metric.is_of_tasks else metric.name
    labels = ", ".join(f"`{label}`" for label in metric.labels[2:])
    return f"| `{name}` | {metric.unit} | {labels} | {metric.help} |"


def test_page_has_every_metric_and_no_other() -> None:
    """In the order of the list, as the list says it."""
    expected = [row(metric) for metric in METRICS.values()]
    found = [line for line in PAGE.splitlines() if line.startswith(("| `holdfast_", "| `holdfast."))]
    assert sorted(found) == sorted(expected)
    named = set(re.findall(r"`(holdfast_\w+)[`{]", PAGE))
    assert named <= METRICS.keys()


def test_page_shows_statistics_as_they_are_sent() -> None:
    """The example of plain StatsD, by what makes such names."""
    from holdfast.metrics.sample import Sample

    sample = Sample(METRICS["holdfast_restore_point_age_seconds"], ("shop", "production", "nightly"), 1)
    assert f"`airflow.{sample.spelled_stat}`" in PAGE
    tags = ",".join(f"{key}={value}" for key, value in sample.tags.items())
    assert f"`airflow.{sample.metric.stat},{tags}`" in PAGE
