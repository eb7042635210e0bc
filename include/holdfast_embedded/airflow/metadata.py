"""Airflow's metadata database: made, migrated and given its roles and users, when that was not done yet."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from holdfast.recovery.cluster import Cluster
from holdfast_embedded.airflow.environment import DATABASE, ROLE
from holdfast_embedded.airflow.logins import VARIABLE, as_variable, embedded_logins
from holdfast_embedded.databases import database_mark, ensure_database, ensure_role, mark_database
from holdfast_embedded.generated import Secrets
from holdfast_embedded.server import Server
from holdfast_embedded.terminal import tell

_PACKAGES = ("apache-airflow-core", "apache-airflow-providers-fab")


def make_metadata(
    cluster: Cluster, secrets: Secrets, environment: Mapping[str, str], project: Path, logs: Path
) -> None:
    """Bring the database to the installed version of Airflow; raises PermanentError where that fails."""
    ensure_role(cluster, ROLE, secrets.airflow_database_password)
    ensure_database(cluster, DATABASE, owner=ROLE)
    roles = project / "deploy" / "roles.yaml"
    logins = as_variable(embedded_logins(secrets))
    mark = _mark(roles.read_text(encoding="utf-8"), logins)
    if database_mark(cluster, DATABASE) == mark:
        return
    tell("preparing Airflow's metadata database")
    Server(
        "the preparation of airflow's database",
        (sys.executable, "-m", "holdfast_embedded.airflow.prepare", str(roles)),
        env={**environment, VARIABLE: logins},
        cwd=project,
        log=logs / "airflow-database.log",
    ).wait()
    mark_database(cluster, DATABASE, mark)


def _mark(roles: str, logins: str) -> str:
    """Names all that the preparation depends on, passwords without telling them."""
    versions = " ".join(f"{package} {metadata.version(package)}" for package in _PACKAGES)
    return f"{versions}, roles and logins {hashlib.sha256(f'{roles}{logins}'.encode()).hexdigest()[:16]}"
