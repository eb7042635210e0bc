"""The web application that the plugin mounts in Airflow's API server: one page for each DAG run."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag, requires_authenticated
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from holdfast_airflow.ui.run_facts import read_run
from holdfast_airflow.ui.run_page import render

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

# Airflow leaves mounted applications open to anyone: each must guard itself.
app = FastAPI(
    title="Holdfast", dependencies=[Depends(requires_authenticated())], docs_url=None, redoc_url=None, openapi_url=None
)


@app.get(
    "/runs/{dag_id}/{run_id}",
    response_class=HTMLResponse,
    # The page shows what the run, its tasks and their XComs show: who may not see those may not see it.
    dependencies=[
        Depends(requires_access_dag(method="GET", access_entity=entity))
        for entity in (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE, DagAccessEntity.XCOM)
    ],
)
def run_page(dag_id: str, run_id: str, session: SessionDep) -> HTMLResponse:
    """What one run did: its restore point, bytes, tables, rows, seconds and outcome."""
    run = read_run(session, dag_id, run_id)
    return HTMLResponse(render(run), status_code=200 if run else 404, headers=_HEADERS)
