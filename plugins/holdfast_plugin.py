"""The one file that Airflow loads from plugins/ by itself: adds the restore point's tab to each run's page."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.plugins_manager import AirflowPlugin


class HoldfastPlugin(AirflowPlugin):
    """Holdfast's part of the web UI; every Airflow process loads this class, only the API server its app."""

    name = "holdfast"
    external_views = [  # noqa: RUF012 - the base class declares it for each instance
        {
            "name": "Restore point",
            # Relative, so that it holds below any base URL; Airflow's page resolves it against that.
            "href": "holdfast/runs/{DAG_ID}/{RUN_ID}",
            "destination": "dag_run",
            "url_route": "restore-point",
        }
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override]
        """Imported when asked for: scheduler, workers and DAG processor never ask."""
        from holdfast_airflow.ui.app import app

        return [{"app": app, "url_prefix": "/holdfast", "name": "holdfast"}]
