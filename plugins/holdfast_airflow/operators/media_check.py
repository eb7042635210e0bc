"""Reads stored media back."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from holdfast.errors import IntegrityError
from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator, Facts

TIER = "media_check"


class MediaCheckOperator(EngineOperator):
    """Reads shards, decrypts them and compares every file's hash; fails for good where something is damaged."""

    template_fields = ()

    def __init__(self, *, fraction: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fraction = fraction

    def execute(self, context: Context) -> Facts:
        """What was read and what is damaged; the facts are left behind when the task fails, too."""
        from holdfast.verify import check_media

        with self.engine() as environment:
            report = check_media(
                environment, fraction=self.fraction, now=runs.opened_at(context), progress=self.progress()
            )
            facts = report.as_json()
            if report.damaged:
                self.show(context, facts)
                raise IntegrityError("media damaged")
        return facts
