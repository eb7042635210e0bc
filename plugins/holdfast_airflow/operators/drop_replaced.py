"""Removes databases and media that restores have put aside, once they were kept for long enough."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from holdfast_airflow.operators.base import EngineOperator, Facts, is_yes


class DropReplacedOperator(EngineOperator):
    """Drops what restores have put aside, when policy.restore.keep_replaced is over; never what is live.

    With ``is_dry_run`` it only tells what is due.
    """

    template_fields = ("is_dry_run",)

    def __init__(self, *, is_dry_run: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.is_dry_run = is_dry_run

    def execute(self, context: Context) -> Facts:
        """What was removed, what is kept still and until when; fails where something due could not be removed."""
        from holdfast.operation.clearing import drop_due

        with self.engine() as environment:
            cleared = drop_due(environment, now=environment.clock(), is_dry_run=is_yes(self.is_dry_run))
            for each in cleared.removed:
                did = "would remove" if is_yes(self.is_dry_run) else "removed"
                self.log.info("%s %s %s, replaced at %s", did, each.what, each.name, each.replaced_at)
            for each in cleared.kept:
                self.log.info("kept: %s %s until %s", each.what, each.name, each.keep_until or "for ever")
            self.show(context, cleared.as_json())
            cleared.demand_clean()
        return cleared.as_json()
