"""Airflow's metadata database: made, migrated and given its administrator, when that was not done yet."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path

from holdfast_embedded.airflow.environment import ADMIN, DATABASE, ROLE
from holdfast_embedded.airflow.prepare import PASSWORD_VARIABLE
from holdfast_embedded.databases import database_mark, ensure_database, ensure_role, mark_database
from holdfast_embedded.generated import Secrets
from holdfast_embedded.postgres import Cluster
from holdfast_embedded.server import Server
from holdfast_embedded.terminal import tell

_PACKAGES = ("apache-airflow-core", "apache-airflow-providers-fab")


def make_metadata(
    cluster: Cluster, secrets: Secrets, environment: Mapping[str, str], project: Path, logs: Path
) -> None:
    """Bring the database to the installed version of Airflow; raises PermanentError where that fails."""
    ensure_role(cluster, ROLE, secrets.airflow_database_password)
    ensure_database(cluster, DATABASE, owner=ROLE)
    mark = _mark(secrets)
    if database_mark(cluster, DATABASE) == mark:
        return
    tell("preparing Airflow's metadata database")
    Server(
        "the preparation of airflow's database",
        (sys.executable, "-m", "holdfast_embedded.airflow.prepare", ADMIN),
        env={**environment, PASSWORD_VARIABLE: secrets.admin_password},
        cwd=project,
        log=logs / "airflow-database.log",
    ).wait()
    mark_database(cluster, DATABASE, mark)


def _mark(secrets: Secrets) -> str:
    """Names all that the preparation depends on, the password without telling it."""
    versions = " ".join(f"{package} {metadata.version(package)}" for package in _PACKAGES)
    return f"{versions}, login {hashlib.sha256(secrets.admin_password.encode()).hexdigest()[:12]}"
