"""The environment that every embedded Airflow process runs in."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from holdfast.recovery.cluster import Cluster
from holdfast_embedded.generated import Secrets
from holdfast_embedded.state import State

DATABASE = ROLE = "airflow"
ADMIN = "admin"
# The caller's own values of these would lead Airflow, Python or libpq elsewhere.
_DROPPED_PREFIXES = ("AIRFLOW_", "_AIRFLOW_", "PYTHON")
_DROPPED = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSERVICE", "PGOPTIONS")
_KEPT_PREFIX = "AIRFLOW_CONN_"


def airflow_environment(
    project: Path, state: State, secrets: Secrets, cluster: Cluster, *, ui_port: int, caller: Mapping[str, str]
) -> dict[str, str]:
    """Variables for Airflow over the caller's environment, whose connections are kept."""
    kept = {name: value for name, value in caller.items() if _is_kept(name)}
    database_url = cluster.url(DATABASE, ROLE, secrets.airflow_database_password)
    settings = _settings(project, state, secrets, database_url, ui_port)
    return (
        kept | _surroundings(project, state, caller) | {f"AIRFLOW__{name}": value for name, value in settings.items()}
    )


def our_programs(state: State) -> tuple[str, ...]:
    """The folders of our own programs, and of those that the demo's drill needs, for the front of a PATH."""
    return str(Path(sys.executable).parent), str(state.tools / "bin")


def _is_kept(name: str) -> bool:
    return name.startswith(_KEPT_PREFIX) or not (name.startswith(_DROPPED_PREFIXES) or name in _DROPPED)


def _surroundings(project: Path, state: State, caller: Mapping[str, str]) -> dict[str, str]:
    return {
        "PATH": os.pathsep.join([*our_programs(state), caller.get("PATH", os.defpath)]),
        "PYTHONPATH": str(project / "include"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        "AIRFLOW_HOME": str(state.airflow_home),
        # What DAG files look up while they are read is kept there, and goes with the rest.
        "XDG_CACHE_HOME": str(state.airflow_home / "cache"),
        "HOLDFAST_STATE": str(state.root),
        "HOLDFAST_KEYS": str(state.keys),
        "HOLDFAST_SPOOL": str(state.spool),
        # A proxy cannot reach our loopback.
        "NO_PROXY": _with_loopback(caller.get("NO_PROXY", "")),
        "no_proxy": _with_loopback(caller.get("no_proxy", "")),
    }


def _with_loopback(hosts: str) -> str:
    return ",".join(filter(None, [hosts, "127.0.0.1", "localhost"]))


def _settings(project: Path, state: State, secrets: Secrets, database_url: str, ui_port: int) -> dict[str, str]:
    return {
        "CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        # Airflow would give its stock roles back, at each start, what deploy/roles.yaml does not give them.
        "FAB__UPDATE_FAB_PERMS": "False",
        "CORE__DAGS_FOLDER": str(project / "dags"),
        "CORE__PLUGINS_FOLDER": str(project / "plugins"),
        "CORE__EXECUTOR": "LocalExecutor",
        # One of them streams WAL all the time.
        "CORE__PARALLELISM": "5",
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__FERNET_KEY": secrets.fernet_key,
        "DATABASE__SQL_ALCHEMY_CONN": database_url.replace("postgresql://", "postgresql+psycopg2://", 1),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(ui_port),
        "API__BASE_URL": f"http://127.0.0.1:{ui_port}",
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.api_secret_key,
        "API_AUTH__JWT_SECRET": secrets.jwt_secret,
        # A changed policy shows within half a minute.
        "DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        # What a killed run left unfinished is taken up by the next one soon, not after five minutes.
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "15",
        # Secrets are masked in logs as URLs, JSON and HTML spell them too, not only as they are.
        "LOGGING__SECRET_MASK_ADAPTER": "holdfast.redaction.spellings",
        # Hides the addresses of pagers, which hold tokens, on the page of connections, too.
        "CORE__SENSITIVE_VAR_CONN_NAMES": "config",
        "LOGGING__BASE_LOG_FOLDER": str(state.logs / "tasks"),
        "LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(state.logs / "dag-files"),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
