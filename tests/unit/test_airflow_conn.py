"""Connections from the environment, in both of Airflow's forms."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.values.airflow_conn import EnvironmentConnections, parse_connection

ODD = "p@:/%#? &=ß'\"\\"
words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@given(words, words, words)
def test_both_forms_say_the_same(login: str, password: str, schema: str) -> None:
    """The URI form, percent-encoded, and the JSON form give equal connections."""
    user, word, name = (quote(text, safe="") for text in (login, password, schema))
    uri = f"postgres://{user}:{word}@db:5433/{name}?sslmode=require"
    document = {
        "conn_type": "postgres",
        "host": "db",
        "port": 5433,
        "login": login,
        "password": password,
        "schema": schema,
        "extra": {"sslmode": "require"},
    }
    assert parse_connection("x", uri) == parse_connection("x", json.dumps(document))


def test_unset_connection_says_which_variable() -> None:
    """The message names the variable to set."""
    with pytest.raises(UsageError, match="AIRFLOW_CONN_SHOP_DB is not set"):
        EnvironmentConnections({}).get("shop_db")


@pytest.mark.parametrize("text", [f"{ODD}", "{broken " + ODD, '{"host": "x"}', f"postgres://u:{ODD}@h:notaport/d"])
def test_malformed_connection_never_shows_itself(text: str) -> None:
    """Neither message nor cause repeats what may hold a password, and repr hides it."""
    with pytest.raises(UsageError) as caught:
        parse_connection("shop_db", text)
    assert ODD not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("port", ["99999", "abc", "0", "-1"])
def test_wrong_port_is_named(port: str) -> None:
    """The field and what is wrong with it, in either form; not its text, which may be half a password."""
    document = {"conn_type": "postgres", "host": "h", "port": port, "password": "hunter2"}
    for text in (f"postgresql://u:hunter2@h:{port}/d", json.dumps(document)):
        if port == "0" and text.startswith("{"):
            document["port"] = "00"
            text = json.dumps(document)
        with pytest.raises(UsageError, match="connection shop_db: port is not a number from 1 to 65535") as caught:
            parse_connection("shop_db", text)
        assert "hunter2" not in str(caught.value)


def test_half_a_password_is_not_taken_for_a_port() -> None:
    """Where a raw / or ? cuts it, the advice is to encode it."""
    for text in ("postgresql://u:hun/ter2@h/d", "postgresql://u:hun?ter2@h/d"):
        with pytest.raises(UsageError, match="neither a connection URI") as caught:
            parse_connection("shop_db", text)
        assert "hun" not in str(caught.value)


def test_repr_hides_secrets() -> None:
    """A connection can be logged by accident without harm."""
    connection = parse_connection("x", "aws://key:hunter2hunter2@/?region_name=eu&token=tok-secret")
    assert "hunter2" not in repr(connection)
    assert "tok-secret" not in repr(connection)
