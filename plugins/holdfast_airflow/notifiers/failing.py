"""A notifier that fails where nobody could be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseNotifier


class FailingNotifier(BaseNotifier):
    """Calls ``notify`` and nothing else.

    Airflow's own call renders templates, of which there are none here, by a DAG that not every context has, and turns a
    message that did not arrive into a line of the log: its caller would take it for delivered.
    """

    def __call__(self, *args: Any) -> None:
        """Tell; ``args`` is the context alone. Raises what ``notify`` raises."""
        (context,) = args
        self.notify(context)

    def notify(self, context: Mapping[str, Any]) -> None:
        """Tell of what the context says; raises AirflowException where the message did not arrive."""
        raise NotImplementedError
