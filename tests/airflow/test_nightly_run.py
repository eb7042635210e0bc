"""The nightly DAG, run for real: a PostgreSQL server, a store of each kind, and every task of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.xcom import XComModel
from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from airflow.utils.session import create_session
from sqlalchemy import select

from audit_trail import told
from dag_runs import DUE, returned, run_once, states
from fix_environment import MakeSite, Site
from fix_postgres import execute
from holdfast.recovery.cluster import Cluster
from holdfast_airflow.operators import (
    DumpOperator,
    ExpireOperator,
    ManifestOperator,
    OpenRestorePointOperator,
    VerifyListOperator,
)

# Its middle survives whatever encoding a URL, JSON or a connection string gives to the rest.
CANARY = "c4naryNeverShown"
PASSWORD = f"p@:/%#? &é'\"\\{CANARY}=+;"
TABLES = """
CREATE TABLE "User" (id int PRIMARY KEY, name text);
CREATE TABLE orders (id int PRIMARY KEY, total numeric);
INSERT INTO "User" SELECT n, 'user ' || n FROM generate_series(1, 500) n;
INSERT INTO orders SELECT n, n FROM generate_series(1, 1500) n;
"""
OPENED = f"{DUE:%Y%m%dT%H%M%SZ}-nightly-"
Adopt = Callable[..., DAG]


@pytest.fixture
def database_url(pg18: Cluster, make_database: Callable[..., str]) -> str:
    """Two tables of 2,000 rows, read by a role whose password needs every kind of escape."""
    url = make_database(TABLES)
    name = url.rpartition("/")[2]
    quoted = PASSWORD.replace("'", "''")
    execute(pg18.url(), "DROP ROLE IF EXISTS nightly_canary")
    execute(pg18.url(), f"CREATE ROLE nightly_canary SUPERUSER LOGIN PASSWORD '{quoted}'")
    return pg18.url(name, user="nightly_canary", password=PASSWORD)


@pytest.fixture(params=["local", "s3"])
def site(request: pytest.FixtureRequest, make_site: MakeSite, database_url: str, tmp_path: Path) -> Site:
    """An app whose backups go to a directory, or to an S3 server."""
    if request.param == "local":
        return make_site(database_url)
    seaweed = request.getfixturevalue("seaweed")
    bucket = request.getfixturevalue("bucket")
    return make_site(database_url, store_url=f"s3://{bucket}/{tmp_path.name}", store_conn=seaweed.connection_json())


def test_run_makes_one_restore_point(site: Site, adopt: Adopt) -> None:
    """Its id is named after the run's due time, and every step returns its facts."""
    run = run_once(adopt(site))
    assert run.state == "success"
    id = returned(run, "open")
    assert id.startswith(OPENED)
    assert site.ids() == [id]
    for step in ("dump", "verify_list", "manifest"):
        facts = returned(run, step)
        assert (facts["restore_point"], facts["tables"], facts["rows"]) == (id, 2, 2000)
        assert facts["bytes"] > 1000
    expired = returned(run, "expire")
    assert (expired["kept"], expired["deleted"], expired["bytes_freed"], expired["dry_run"]) == (1, [], 0, False)


def test_run_that_runs_again_makes_no_second_restore_point(
    make_site: MakeSite, database_url: str, adopt: Adopt
) -> None:
    """Clearing a whole run finds what stands; another run makes another restore point."""
    site = make_site(database_url)
    dag = adopt(site)
    first = run_once(dag)
    files = site.stored_files()
    again = run_once(dag)
    assert (again.state, returned(again, "open")) == ("success", returned(first, "open"))
    assert site.stored_files() == files
    next_day = run_once(dag, DUE + timedelta(days=1))
    assert site.ids() == [returned(first, "open"), returned(next_day, "open")]


def test_expire_deletes_what_the_policy_lets_go(make_site: MakeSite, database_url: str, adopt: Adopt) -> None:
    """The time it goes by is the run's."""
    site = make_site(database_url)
    dag = adopt(site)
    old = run_once(dag)
    new = run_once(dag, DUE + timedelta(days=40))
    report = returned(new, "expire")
    assert [deletion["id"] for deletion in report["deleted"]] == [returned(old, "open")]
    assert "35d" in report["deleted"][0]["reason"]
    assert site.ids() == [returned(new, "open")]
    first, second, deleted = told(site.environment())
    runs = [f"{run.dag_id}/{run.run_id}" for run in (old, new)]
    assert [(each.action, each.run, each.subject) for each in (first, second)] == [
        ("triggered", run, "shop-production.nightly") for run in runs
    ]
    assert (deleted.action, deleted.subject, deleted.run) == ("deleted", returned(old, "open"), runs[1])
    assert {each.via for each in (first, second, deleted)} == {"airflow"}


def test_table_that_may_not_be_read_fails_the_run_at_once(
    make_site: MakeSite,
    make_database: Callable[..., str],
    pg18: Cluster,
    adopt: Adopt,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No retry can mend it: the dump task fails, what follows does not run, no restore point appears."""
    url = make_database(TABLES)
    name = url.rpartition("/")[2]
    execute(pg18.url(), "DROP ROLE IF EXISTS reader")
    execute(pg18.url(), "CREATE ROLE reader LOGIN PASSWORD 'reader'")
    execute(url, 'GRANT SELECT ON "User" TO reader')
    try:
        site = make_site(pg18.url(name, user="reader", password="reader"))
        run = run_once(adopt(site))
    finally:
        execute(url, "DROP OWNED BY reader")
        execute(pg18.url(), "DROP ROLE reader")
    assert states(run) == {
        "store_guard": "success",
        "open": "success",
        "dump": "failed",
        "verify_list": "upstream_failed",
        "manifest": "upstream_failed",
        "expire": "upstream_failed",
    }
    assert "orders" in capfd.readouterr().out
    assert site.ids() == []


def test_no_secret_is_shown_anywhere(site: Site, adopt: Adopt, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither log, XCom nor rendered field of any task holds the password, in whatever encoding."""
    run = run_once(adopt(site))
    assert run.state == "success"
    captured = capfd.readouterr()
    assert f"restore point {OPENED}" in captured.out + captured.err
    with create_session() as session:
        xcoms = session.scalars(select(XComModel.value).where(XComModel.run_id == run.run_id)).all()
        rendered = session.scalars(
            select(RenderedTaskInstanceFields.rendered_fields).where(RenderedTaskInstanceFields.run_id == run.run_id)
        ).all()
    assert len(xcoms) >= 5
    assert len(rendered) >= 4
    for shown in (captured.out, captured.err, str(xcoms), str(rendered)):
        assert CANARY not in shown


def test_wrong_password_is_not_shown_by_the_failure(
    make_site: MakeSite, pg18: Cluster, adopt: Adopt, capfd: pytest.CaptureFixture[str]
) -> None:
    """The log of a login that fails names the server, never what was sent to it."""
    site = make_site(pg18.url("postgres", user="postgres", password=PASSWORD))
    run = run_once(adopt(site))
    captured = capfd.readouterr()
    assert run.state == "failed"
    assert "password authentication failed" in captured.out + captured.err
    assert CANARY not in captured.out + captured.err


class Steps:
    """The operators by themselves, each called as a task would."""

    def __init__(self, site: Site) -> None:
        self.place = {"policy_file": str(site.policy_file), "environment": "production"}
        run = SimpleNamespace(run_after=DUE, dag_id="shop-production.nightly", run_id="scheduled__1")
        self.context = cast(Context, {"dag_run": run})

    def open(self, **more: str) -> str:
        """The id of the run's restore point."""
        operator = OpenRestorePointOperator(task_id="open", tier="nightly", **more, **self.place)
        return operator.execute(self.context)


@pytest.fixture
def steps(make_site: MakeSite, database_url: str, adopt: Adopt) -> Steps:
    site = make_site(database_url)
    adopt(site)
    return Steps(site)


def test_operators_run_one_by_one(steps: Steps) -> None:
    """Each needs only what the one before it left in the store, and may run twice."""
    id = steps.open()
    assert steps.open() == id
    for operator in (DumpOperator, VerifyListOperator, ManifestOperator):
        for _ in range(2):
            facts = operator(task_id="step", restore_point=id, **steps.place).execute(steps.context)
            assert (facts["restore_point"], facts["rows"]) == (id, 2000)
    assert ExpireOperator(task_id="expire", **steps.place).execute(steps.context)["kept"] == 1


def test_label_stands_in_the_manifest(steps: Steps, tmp_path: Path) -> None:
    """As the operator was given it, from a DAG's form for example."""
    id = steps.open(restore_point_label="pre-deploy-2026.11.3")
    for operator in (DumpOperator, VerifyListOperator, ManifestOperator):
        operator(task_id="step", restore_point=id, **steps.place).execute(steps.context)
    (manifest,) = tmp_path.rglob("manifest.json")
    assert json.loads(manifest.read_text())["label"] == "pre-deploy-2026.11.3"


def test_step_out_of_order_fails_at_once(steps: Steps) -> None:
    """A manifest without a verified dump is refused, and trying again would not help."""
    with pytest.raises(AirflowFailException, match="dump"):
        ManifestOperator(task_id="step", restore_point=steps.open(), **steps.place).execute(steps.context)


def test_server_that_is_away_is_tried_again(steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: a transient error, for servers come back."""
    id = steps.open()
    monkeypatch.setenv("AIRFLOW_CONN_SHOP_DB", "postgresql://postgres@127.0.0.1:1/postgres")
    with pytest.raises(AirflowException) as caught:
        DumpOperator(task_id="dump", restore_point=id, **steps.place).execute(steps.context)
    assert not isinstance(caught.value, AirflowFailException)


def test_unknown_environment_fails_at_once(steps: Steps) -> None:
    """The message names what the policy has."""
    operator = ExpireOperator(task_id="expire", policy_file=steps.place["policy_file"], environment="prodution")
    with pytest.raises(AirflowFailException, match=r"prodution.*production"):
        operator.execute(steps.context)


def test_sigterm_leaves_the_engine(steps: Steps) -> None:
    """Airflow calls on_kill in the signal's handler: while the engine works, that is the way out of it."""
    operator = ExpireOperator(task_id="expire", **steps.place)
    operator.on_kill()
    with pytest.raises(SystemExit), operator.engine():
        operator.on_kill()
    operator.on_kill()
