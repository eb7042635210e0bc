"""The web application that the plugin mounts in Airflow's API server: a page for each DAG run, and drills' evidence."""

from __future__ import annotations

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag, requires_authenticated
from fastapi import Depends, FastAPI
from fastapi.responses import HTMLResponse

from holdfast_airflow.ui.evidence import OPERATIONS, find_drill, read_plan, read_report
from holdfast_airflow.ui.run_page import render, render_plan, render_refusal
from holdfast_airflow.ui.run_reading import read_run

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

# Airflow leaves mounted applications open to anyone: each must guard itself.
app = FastAPI(
    title="Holdfast", dependencies=[Depends(requires_authenticated())], docs_url=None, redoc_url=None, openapi_url=None
)


# The pages show what the run, its tasks and their XComs show: who may not see those may not see them.
_READERS = [
    Depends(requires_access_dag(method="GET", access_entity=entity))
    for entity in (DagAccessEntity.RUN, DagAccessEntity.TASK_INSTANCE, DagAccessEntity.XCOM)
]
# A plan may name rows by their keys: whoever may not see the gates may not see it here.
_PLAN_READER = Depends(requires_access_dag(method="GET", access_entity=DagAccessEntity.HITL_DETAIL))


@app.get("/runs/{dag_id}/{run_id}", response_class=HTMLResponse, dependencies=_READERS)
def run_page(dag_id: str, run_id: str, session: SessionDep) -> HTMLResponse:
    """What one run did: its restore point, bytes, tables, rows, seconds and outcome."""
    run = read_run(session, dag_id, run_id)
    return HTMLResponse(render(run), status_code=200 if run else 404, headers=_HEADERS)


@app.get("/runs/{dag_id}/{run_id}/evidence", response_class=HTMLResponse, dependencies=_READERS)
@app.get("/runs/{dag_id}/{run_id}/evidence/{kind}", response_class=HTMLResponse, dependencies=_READERS)
def evidence_page(dag_id: str, run_id: str, session: SessionDep, kind: str | None = None) -> HTMLResponse:
    """The signed report of a run's evidence, as it lies in the store; or why it cannot be shown here.

    ``kind`` names another drill or operation of the same run, such as the rehearsal of a restore.
    """
    drill = find_drill(session, dag_id, run_id, kind)
    session.close()  # a slow store must not hold the connection to Airflow's database
    if drill is None:
        return HTMLResponse(render_refusal(None), status_code=404, headers=_HEADERS)
    report = read_report(drill)
    if isinstance(report, str):
        return HTMLResponse(report, headers=_HEADERS)
    return HTMLResponse(render_refusal(report), status_code=503, headers=_HEADERS)


@app.get("/runs/{dag_id}/{run_id}/plan", response_class=HTMLResponse, dependencies=[*_READERS, _PLAN_READER])
def plan_page(dag_id: str, run_id: str, session: SessionDep) -> HTMLResponse:
    """The plan of an operation as its gates show it; or why it cannot be shown here."""
    operation = find_drill(session, dag_id, run_id)
    session.close()
    if operation is None or operation.drill.tier not in OPERATIONS:
        return HTMLResponse(render_refusal(None), status_code=404, headers=_HEADERS)
    plan = read_plan(operation)
    if isinstance(plan, str):
        return HTMLResponse(render_plan(str(operation.drill), plan), headers=_HEADERS)
    return HTMLResponse(render_refusal(plan), status_code=503, headers=_HEADERS)
