"""Finds a task's log and what it says went wrong."""

from __future__ import annotations

import json
from pathlib import Path


def task_log(logs: Path, dag_id: str, run_id: str, task_id: str, attempt: int) -> Path:
    """Where Airflow writes the log of one attempt (its default log_filename_template)."""
    return logs / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}" / f"attempt={attempt}.log"


def error_in(log: Path) -> str:
    """The task's last error in one line: the exception's own words where one is logged."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return "it left no log"
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict) and record.get("level") in ("error", "critical"):
            return _words(record)
    return "its log tells no error"


def _words(record: dict[str, object]) -> str:
    details = record.get("error_detail")
    if isinstance(details, list) and details and isinstance(details[0], dict):
        text = details[0].get("exc_value") or details[0].get("exc_type")
    else:
        text = record.get("event")
    return " ".join(str(text).split())
