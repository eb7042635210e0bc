"""Who is at work: the person or schedule on whose behalf a use case runs, as the audit trail names them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Via = Literal["airflow", "cli"]


@dataclass(frozen=True, slots=True)
class Actor:
    """``who``: a login name, or what stands for it. ``run``: the DAG run, which began at ``since`` (aware)."""

    who: str = "unknown"
    via: Via = "cli"
    run: str | None = None
    since: datetime | None = None
