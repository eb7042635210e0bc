"""Looks at the store before anything is written to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow.sdk import Context

from holdfast.errors import PermanentError
from holdfast_airflow.operators.base import EngineOperator, Facts

if TYPE_CHECKING:
    from holdfast.guard import Check


class StoreGuardOperator(EngineOperator):
    """Looks whether the store is safe from loss, strangers and the application; fails where no backup may go there."""

    template_fields = ()

    def execute(self, context: Context) -> Facts:
        """How many checks there were, and each that is not well; it only reads, so it may run any time."""
        from holdfast.guard import check_store

        with self.engine() as environment:
            checks = check_store(environment)
            facts = _facts(checks)
            self._tell(checks)
            blocking = [check for check in checks if check.verdict == "failed" and check.is_blocking]
            if blocking:
                self.show(context, facts)
                raise PermanentError(
                    f"store {environment.policy.store.url}: not fit for backups: "
                    + "; ".join(f"{check.name}: {check.text}" for check in blocking),
                    hint=" ".join(check.hint for check in blocking if check.hint) or None,
                )
        return facts

    def _tell(self, checks: Sequence[Check]) -> None:
        for check in checks:
            stops = self.log.error if check.is_blocking else self.log.warning
            log = {"ok": self.log.info, "warning": self.log.warning}.get(check.verdict, stops)
            log("%s: %s%s", check.name, check.text, f" (hint: {check.hint})" if check.hint else "")


def _facts(checks: Sequence[Check]) -> Facts:
    verdicts = [check.verdict for check in checks]
    return {
        "checks": len(checks),
        "warnings": verdicts.count("warning"),
        "failures": verdicts.count("failed"),
        "findings": [check.as_json() for check in checks if check.verdict != "ok"],
    }
