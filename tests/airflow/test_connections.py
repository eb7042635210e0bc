"""Connections through Airflow: the same values as the CLI reads, and no secret in any log."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest
from airflow.sdk._shared.secrets_masker import _secrets_masker

from holdfast.errors import UsageError
from holdfast.redaction import redact
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast_airflow.connections import AirflowConnections

PASSWORD = "p@ss:w/rd%# ?é"
FORMS = {
    "uri": f"postgresql://us%2Fer:{quote(PASSWORD, safe='')}@db.example:5433/app?sslmode=require",
    "uri-with-json-extra": "aws://key:secretkey@/?__extra__="
    + quote(json.dumps({"endpoint_url": "http://127.0.0.1:1"})),
    "json": json.dumps(
        {"conn_type": "postgres", "host": "db", "login": "u", "password": PASSWORD, "extra": {"sslmode": "require"}}
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_same_connection_as_the_cli_reads(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable means one thing, whether Airflow or the CLI looks it up."""
    monkeypatch.setenv("AIRFLOW_CONN_DEMO_DB", FORMS[form])
    assert AirflowConnections().get("demo_db") == EnvironmentConnections({"AIRFLOW_CONN_DEMO_DB": FORMS[form]}).get(
        "demo_db"
    )


def test_password_is_masked_plain_and_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow writes asterisks where either stands in a log."""
    monkeypatch.setenv("AIRFLOW_CONN_DEMO_DB", FORMS["uri"])
    AirflowConnections().get("demo_db")
    text = f"plain {PASSWORD} encoded {quote(PASSWORD, safe='')}"
    assert _secrets_masker().redact(text) == "plain *** encoded ***"


def test_secrets_of_the_extra_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that Airflow knows by no name too, such as the addresses of a pager."""
    url = "slack://TokenA1234/TokenB1234/Tok%2FenC1234"
    made = {"conn_type": "apprise", "extra": {"config": [{"path": url, "tag": "ops"}]}}
    monkeypatch.setenv("AIRFLOW_CONN_PAGER", json.dumps(made))
    AirflowConnections().get("pager")
    for told in (url, "TokenB1234", "Tok/enC1234"):
        assert _secrets_masker().redact(f"<{told}>") == redact(f"<{told}>") == "<***>"


def test_missing_connection_is_a_usage_error() -> None:
    """The message names it, the hint says where to add it."""
    with pytest.raises(UsageError, match="connection nowhere: not defined") as caught:
        AirflowConnections().get("nowhere")
    assert caught.value.hint is not None


def test_malformed_extra_is_refused_unquoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """What stands there may be a secret, so the message leaves it out."""
    broken = json.dumps({"conn_type": "aws", "extra": '{"aws_secret": "s3cr3tword'})
    monkeypatch.setenv("AIRFLOW_CONN_DEMO_STORE", broken)
    with pytest.raises(UsageError) as caught:
        AirflowConnections().get("demo_store")
    assert "s3cr3tword" not in str(caught.value)
    assert caught.value.__cause__ is None
