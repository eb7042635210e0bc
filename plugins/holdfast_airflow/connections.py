"""Connections as Airflow knows them: from its metadata database, its variables, or a secrets backend."""

from __future__ import annotations

import json

from airflow.sdk import BaseHook
from airflow.sdk import Connection as AirflowConnection
from airflow.sdk.exceptions import AirflowNotFoundException
from airflow.sdk.log import mask_secret

from holdfast.errors import UsageError
from holdfast.redaction import spellings
from holdfast.values.connection import Connection
from holdfast.values.credentials import learn_secrets, secrets_of


class AirflowConnections:
    """Looks connections up through Airflow, which also keeps their secrets out of the task's log."""

    def get(self, conn_id: str) -> Connection:
        """The connection of that id; raises UsageError where it is missing or its extra is not JSON."""
        try:
            found = BaseHook.get_connection(conn_id)
        except AirflowNotFoundException as error:
            raise UsageError(
                f"connection {conn_id}: not defined in Airflow",
                hint=f"Add the connection {conn_id} under Admin, Connections, or in the secrets backend.",
            ) from error
        connection = Connection(
            conn_id,
            found.conn_type or "",
            host=found.host or None,
            port=found.port,
            login=found.login or None,
            password=found.password or None,
            schema=found.schema or None,
            extra=_extra(found),
        )
        _hide(connection)
        return connection


def _hide(connection: Connection) -> None:
    """Let our redactor know the secrets, and Airflow's masker, which hides nothing but the plain password by itself.

    Airflow's works in the process that writes the task's log, and reaches what other libraries say there.
    """
    learn_secrets(connection)
    names = {connection.login, connection.host, connection.schema, connection.conn_id}
    forms = {form for secret in secrets_of(connection) for form in spellings(secret) if secret not in names}
    if forms:
        mask_secret([*sorted(forms)])


def _extra(found: AirflowConnection) -> dict[str, object]:
    if not found.extra:
        return {}
    try:
        extra = json.loads(found.extra)
    except ValueError:
        extra = None
    if not isinstance(extra, dict):
        # The cause is cut off: it would quote the extra, which may hold a secret.
        raise UsageError(f"connection {found.conn_id}: its extra is not a JSON object") from None
    mask_secret(extra)  # by the names of its fields, as Airflow's own pages do
    return extra
