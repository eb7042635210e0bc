"""People of every role before a running Airflow: two environments of one app, one that few may see, and the watch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
import yaml

from fix_airflow import MODULE, Airflow, await_true, running_airflow
from fix_environment import PROJECT, Site
from holdfast.crypto.keyfiles import new_keys
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.airflow.api import segment
from holdfast_embedded.airflow.logins import embedded_logins
from holdfast_embedded.generated import Secrets

ROLES = ("admin", "devops", "dba", "teamlead", "developer", "viewer")
TIERS = {
    "nightly": {"schedule": "0 2 1 1 *", "keep": "35d"},
    "snapshot": {"keep": "90d"},
    "restore_check": {},
    "restore_drill": {},
    "wal": {"keep": "7d"},
    "base_backup": {"keep": "14d"},
    "wal_check": {},
    "pitr_check": {},
}
OPERATIONS = ("restore", "switch_back", "find_instant", "restore_tables", "recover_rows", "undo_rows", "rollback")
DAGS = (*TIERS, "expire", "pitr_drill", *OPERATIONS)
SHOP = ("shop-staging", "shop-production")
WATCH = "holdfast.watch"
GATE = "shop-production.gate"
# Waits for an answer as a drill does, under the same rights.
_GATE_MODULE = f'''
from pathlib import Path

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG

from holdfast.policy import load_policy
from holdfast_dags.access import access_control
from holdfast_dags.protected import Protected

_policy_file = Path(__file__).with_name("shop.yaml")
_production = load_policy(_policy_file).environments["production"]
_rights = access_control(Protected(_policy_file, "shop", "production", _production), "restore_drill")

with DAG("{GATE}", schedule=None, access_control=_rights, is_paused_upon_creation=False):
    ApprovalOperator(task_id="approve", subject="May it be done?")
'''


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in, unless without a password; asks the web server, and sees what it answers."""

    name: str
    password: str
    url: str

    @cached_property
    def _headers(self) -> dict[str, str]:
        if not self.password:
            return {}
        login = {"username": self.name, "password": self.password}
        answer = httpx.post(f"{self.url}/auth/token", json=login, trust_env=False, timeout=60).raise_for_status()
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def ask(self, method: str, path: str, body: object = None) -> httpx.Response:
        """The answer to a request below ``/api/v2``; a path that begins with a slash is taken as it is."""
        url = self.url + (path if path.startswith("/") else f"/api/v2/{path}")
        return httpx.request(method, url, json=body, headers=self._headers, trust_env=False, timeout=60)

    def may(self, method: str, path: str, body: object = None) -> bool:
        """Whether it is allowed; any answer that is neither that it was done nor that it is forbidden is an error."""
        answer = self.ask(method, path, body)
        assert answer.status_code in (200, 201, 204, 403), (self.name, method, path, answer.status_code, answer.text)
        return answer.status_code != 403

    def reads(self, path: str) -> Any:
        """What a GET gives."""
        answer = self.ask("GET", path)
        assert answer.status_code == 200, (self.name, path, answer.status_code, answer.text)
        return answer.json()


@dataclass(frozen=True)
class Office:
    """The running Airflow, and one person of each role by the name of the login."""

    airflow: Airflow
    people: Mapping[str, Person]

    @property
    def stranger(self) -> Person:
        """Somebody without a login."""
        return Person("stranger", "", self.airflow.url)

    def who(self, method: str, path: str, body: object = None) -> set[str]:
        """The logins of those who may do it, each of whom then has done it."""
        return {name for name, person in self.people.items() if person.may(method, path, body)}

    def run(self, dag_id: str, id: str | None = None) -> str:
        """A new run of the DAG, by the administrator; its path below the API."""
        body = {"logical_date": None, "dag_run_id": id}
        answer = self.people["admin"].ask("POST", f"dags/{dag_id}/dagRuns", body).raise_for_status()
        return f"dags/{dag_id}/dagRuns/{segment(answer.json()['dag_run_id'])}"


@contextmanager
def open_office(cluster: Cluster, folder: Path) -> Iterator[Office]:
    """Airflow with every role's DAGs known to it, paused, so that what is triggered there waits."""
    site = _site(folder)
    with running_airflow(cluster, site) as airflow:
        secrets = Secrets.load(folder / "state" / "secrets")
        people = {login.name: Person(login.name, login.password, airflow.url) for login in embedded_logins(secrets)}
        expected = {f"{place}.{tier}" for place in (*SHOP, "vault-main") for tier in DAGS} | {GATE, WATCH}

        def are_known() -> bool:
            errors = airflow.api.items("importErrors", "import_errors")
            assert not errors, errors
            return {dag["dag_id"] for dag in airflow.api.items("dags?limit=100", "dags")} >= expected

        def are_allowed() -> bool:
            """Rights on a DAG are written a moment after it; whoever asks too early is refused for half a minute."""
            role = people["admin"].reads("/auth/fab/v1/roles/DevOps")
            held = {each["resource"]["name"] for each in role["actions"]}
            return held >= {f"DAG:{dag_id}" for dag_id in expected}

        await_true(are_known, 120, "every DAG is known")
        await_true(are_allowed, 60, "every DAG may be read")
        for dag_id in expected - {GATE, "shop-staging.expire"}:
            airflow.api.patch(f"dags/{dag_id}?update_mask=is_paused", {"is_paused": True})
        yield Office(airflow, people)


def _site(folder: Path) -> Site:
    new_keys(folder / "keys")
    dags, store = folder / "dags", folder / "store"
    dags.mkdir()
    apps = {
        "shop": {
            "staging": _environment(folder, access={"backup": ["DevOps", "DBA", "Developer"]}),
            "production": _environment(folder),
        },
        "vault": {"main": _environment(folder, access={"read": [], "approve": ["DevOps"]})},
    }
    for app, environments in apps.items():
        (dags / f"{app}.yaml").write_text(yaml.safe_dump({"app": app, "environments": environments}))
        (dags / f"{app}.py").write_text(MODULE)
    (dags / "gate.py").write_text(_GATE_MODULE)
    (dags / "holdfast_watch.py").write_text((PROJECT / "dags" / "holdfast_watch.py").read_text())
    return Site(folder, dags / "shop.yaml", folder / "keys", store)


def _environment(folder: Path, **fields: object) -> dict[str, object]:
    keys = folder / "keys"
    return {
        "database": {"conn_id": "shop_db", "pitr": "streaming"},
        "store": {"url": f"file://{folder}/store"},
        "keys": {
            "recipients_file": f"{keys}/recipient.txt",
            "identity_file": f"{keys}/identity.txt",
            "signing_key_file": f"{keys}/signing.pem",
            "verify_key_file": f"{keys}/signing.pub",
        },
        "tiers": TIERS,
        **fields,
    }
