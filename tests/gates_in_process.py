"""Runs a DAG with gates in the test's own process: somebody answers through Airflow's API while the run waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from functools import cache
from threading import Event, Thread
from typing import Any
from urllib.parse import quote

import httpx
from airflow.api_fastapi.app import create_app, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.session import create_session
from fastapi import FastAPI
from sqlalchemy import select

from dag_runs import DUE, run_once

Seen = dict[str, str]


def run_answered(
    dag: DAG,
    due: datetime = DUE,
    *,
    by: str = "emil",
    option: str = "Approve",
    before: Callable[[], object] = lambda: None,
    **form: object,
) -> tuple[DagRun, Seen]:
    """One run, whose gates ``by`` answers, and what each gate has shown; ``before`` is called ahead of each answer."""
    seen: Seen = {}
    is_over = Event()
    answers = Thread(target=_answer, args=(dag.dag_id, by, option, before, seen, is_over), daemon=True)
    answers.start()
    try:
        return run_once(dag, due, **form), seen
    finally:
        is_over.set()
        answers.join(30)


def ask(method: str, path: str, body: Any = None, *, by: str, role: str | None = "admin") -> httpx.Response:
    """What Airflow's API server, plugins and all, answers to somebody."""
    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=by, role=role))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=_app())
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow", headers=headers) as client:
            return await client.request(method, path, json=body)

    return asyncio.run(send())


def _answer(dag_id: str, by: str, option: str, before: Callable[[], object], seen: Seen, is_over: Event) -> None:
    _app()
    while not is_over.is_set():
        time.sleep(0.2)
        for run_id, task_id in _waiting(dag_id):
            task = f"/api/v2/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/-1/hitlDetails"
            seen[task_id] = ask("GET", task, by=by).json()["body"]
            before()
            reason = {"reason": "not like this"} if option == "Reject" else {}
            assert ask("PATCH", task, {"chosen_options": [option], "params_input": reason}, by=by).status_code == 200


@cache
def _app() -> FastAPI:
    """It takes seconds to make."""
    return create_app()


def _waiting(dag_id: str) -> list[tuple[str, str]]:
    with create_session() as session:
        found = session.execute(
            select(TaskInstance.run_id, TaskInstance.task_id).where(
                TaskInstance.dag_id == dag_id, TaskInstance.state == "awaiting_input"
            )
        )
        return [(row.run_id, row.task_id) for row in found]
