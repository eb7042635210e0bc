"""The connections that the example policies name, as the environment variables that carry them."""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.recovery.cluster import Cluster
from holdfast_embedded.demo.databases import BACKUP_ROLE, DEMO_DATABASES
from holdfast_embedded.generated import Secrets
from holdfast_embedded.seaweedfs import SeaweedFS

STORE_CONN_IDS = ("coursepedia_backup_store", "campustrack_backup_store")
PREFIX = "AIRFLOW_CONN_"


def variable(conn_id: str) -> str:
    """The environment variable that holds the connection, as Airflow names it."""
    return PREFIX + conn_id.upper()


def demo_connections(server: Cluster, store: SeaweedFS, secrets: Secrets, chosen: Mapping[str, str]) -> dict[str, str]:
    """Variables for every demo connection that ``chosen`` (the caller's own environment) does not set itself.

    What an earlier run exported for shells, which may tell of ports that are gone, is told by its generated secrets
    and does not count.
    """
    databases = {
        variable(demo.conn_id): server.url(demo.name, BACKUP_ROLE, secrets.backup_password) for demo in DEMO_DATABASES
    }
    # Whoever backs up a database of his own must not restore into the demo's by mistake.
    owners = {
        variable(demo.owner_conn_id): server.url(demo.name, demo.owner, secrets.owner_password)
        for demo in DEMO_DATABASES
        if _is_ours(chosen.get(variable(demo.conn_id), ""), secrets)
    }
    stores = {variable(conn_id): store.connection_json() for conn_id in STORE_CONN_IDS}
    made = databases | owners | stores
    return {name: value for name, value in made.items() if _is_ours(chosen.get(name, ""), secrets)}


def _is_ours(value: str, secrets: Secrets) -> bool:
    ours = (secrets.backup_password, secrets.owner_password, secrets.s3_secret_key)
    return not value or any(secret in value for secret in ours)
