"""Who is told metrics over HTTP, and how often they are made for it: a real server, asked over real connections."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from holdfast.errors import UsageError
from holdfast.metrics.latest import EVERY_S, Latest
from holdfast.metrics.server import Address, MetricsServer
from holdfast.metrics.textfile import write_textfile
from holdfast.metrics.token import token_of_connection, token_of_file
from holdfast.values.airflow_conn import EnvironmentConnections

TOKEN = "9f2c41d07ab36e58"
TEXT = "holdfast_up 1.0\n"
LOOPBACK = Address("127.0.0.1", 0)
# For what comes at once unless it never comes.
LONG_S = 60.0
Answer = tuple[int, str, http.client.HTTPMessage]
Ask = Callable[..., Answer]


@contextmanager
def serving(latest: Latest, token: str | None = None, address: Address = LOOPBACK) -> Iterator[Ask]:
    """A server at work; gives what asks it."""
    with MetricsServer(address, latest, token) as server:
        Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

        def ask(path: str = "/metrics", method: str = "GET", **headers: str) -> Answer:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection = http.client.HTTPConnection(address.host, server.server_port, timeout=LONG_S)
            connection.request(method, path, headers=named)
            response = connection.getresponse()
            body = response.read().decode()
            connection.close()
            return response.status, body, response.headers

        try:
            yield ask
        finally:
            server.shutdown()


def text() -> str:
    return TEXT


def test_loopback_is_served_without_a_token() -> None:
    """Under its one path, in the form that Prometheus knows by its type."""
    with serving(Latest(text)) as ask:
        status, body, headers = ask()
        assert (status, body) == (200, TEXT)
        assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
        assert ask("/metrics?x=1")[0] == 200
        assert ask("/")[0] == ask("/metrics/")[0] == ask("/../etc/passwd")[0] == 404
        assert ask(method="HEAD")[:2] == (200, "")
        assert ask(method="POST")[0] == 501


def test_page_of_a_browser_is_not_served() -> None:
    """A name that somebody has lead here is not this machine's own."""
    with serving(Latest(text)) as ask:
        for host in ("evil.example", "evil.example:9187", "10.0.0.1", "127.0.0.1.evil.example"):
            assert ask(Host=host)[0] == 403
        for host in ("localhost:9187", "127.0.0.1", "[::1]:9187", "LOCALHOST"):
            assert ask(Host=host)[0] == 200


@pytest.mark.parametrize(
    "given",
    [None, "", "Bearer", f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}0", f"Basic {TOKEN}", TOKEN, "Bearer \xff\xfe"],
)
def test_no_route_is_told_without_the_token(given: str | None) -> None:
    """Not even which routes there are."""
    headers = {} if given is None else {"Authorization": given}
    with serving(Latest(text), TOKEN) as ask:
        for path in ("/metrics", "/", "/nothing"):
            status, body, said = ask(path, **headers)
            assert (status, said["WWW-Authenticate"]) == (401, "Bearer")
            assert "holdfast_" not in body


def test_token_opens() -> None:
    """By whatever name the server is called then."""
    with serving(Latest(text), TOKEN) as ask:
        assert ask(Authorization=f"Bearer {TOKEN}")[:2] == (200, TEXT)
        assert ask(Authorization=f"bearer {TOKEN}", Host="metrics.example")[0] == 200
        assert ask("/", Authorization=f"Bearer {TOKEN}")[0] == 404


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "somewhere.example", ""])
def test_without_a_token_only_this_machine_is_served(host: str) -> None:
    """Refused before anything listens."""
    with pytest.raises(UsageError, match="so that a token is needed"):
        MetricsServer(Address(host, 0), Latest(text), None)


def test_any_address_is_served_with_a_token() -> None:
    """As in a container, whose port is passed on."""
    with serving(Latest(text), TOKEN, Address("0.0.0.0", 0)) as ask:
        assert ask(Authorization=f"Bearer {TOKEN}")[0] == 200


def test_port_in_use_is_named() -> None:
    """As what it is: wrong use, not a fault of ours."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UsageError, match=f"address 127.0.0.1:{port}: address already in use"):
            MetricsServer(Address("127.0.0.1", port), Latest(text), None)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("127.0.0.1:9187", Address("127.0.0.1", 9187)),
        ("9187", Address("127.0.0.1", 9187)),
        (":9187", Address("127.0.0.1", 9187)),
        ("[::1]:0", Address("::1", 0)),
        ("localhost:1", Address("localhost", 1)),
    ],
)
def test_address_is_read(written: str, address: Address) -> None:
    """All of these are loopbacks."""
    assert Address.parse(written) == address
    assert address.is_loopback


@pytest.mark.parametrize("written", ["", "host", "host:", "host:x", "host:70000", "::1:9187", "::1", "1.2.3.4:-1"])
def test_no_address_is_refused(written: str) -> None:
    """Rather than listening somewhere else."""
    with pytest.raises(UsageError, match="not of the form HOST:PORT"):
        Address.parse(written)


def test_metrics_are_made_once_a_minute() -> None:
    """However often they are asked for, and not at all where nobody asks."""
    made: list[int] = []
    now = [1000.0]

    def make() -> str:
        made.append(len(made))
        return str(made[-1])

    latest = Latest(make, lambda: now[0])
    assert made == []
    assert [latest.text(LONG_S) for _ in range(5)] == ["0"] * 5
    now[0] += EVERY_S - 1
    assert latest.text(LONG_S) == "0"
    now[0] += 1
    assert latest.text(LONG_S) == "1"
    assert made == [0, 1]


def test_store_that_hangs_keeps_nobody_waiting() -> None:
    """Nothing at first; afterwards what is known from before, and only one reading is under way at a time."""
    go, made, now = Event(), [], [0.0]

    def make() -> str:
        made.append(len(made))
        assert go.wait(LONG_S)
        return str(made[-1])

    latest = Latest(make, lambda: now[0])
    assert latest.text(0.01) is None
    now[0] = 10 * EVERY_S
    assert latest.text(0.01) is None
    with serving(latest) as ask:
        assert ask(X_Prometheus_Scrape_Timeout_Seconds="0.6")[0] == 503
    go.set()
    assert latest.text(LONG_S) == "0"
    go.clear()
    now[0] = 20 * EVERY_S
    assert latest.text(0.01) == "0"
    go.set()
    assert latest.text(LONG_S) == "1"
    assert made == [0, 1]


def test_token_comes_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    """Spaces and line ends around it are no part of it."""
    file = tmp_path / "token"
    file.write_text(f" {TOKEN}\n")
    file.chmod(0o644)
    with pytest.raises(UsageError, match="everybody on this machine may read it"):
        token_of_file(file)
    file.chmod(0o600)
    assert token_of_file(file) == TOKEN


@pytest.mark.parametrize("token", ["", "short", "with a space in it", "ümlaut-" * 4])
def test_weak_token_is_refused_and_not_repeated(tmp_path: Path, token: str) -> None:
    """From either place."""
    file = tmp_path / "token"
    file.write_text(token)
    file.chmod(0o600)
    connections = EnvironmentConnections({"AIRFLOW_CONN_T": f'{{"conn_type": "http", "password": "{token}"}}'})
    for read in (lambda: token_of_file(file), lambda: token_of_connection("t", connections)):
        with pytest.raises(UsageError, match="no token of at least 16 characters") as refused:
            read()
        assert not token or token not in str(refused.value)


def test_textfile_is_replaced_whole(tmp_path: Path) -> None:
    """Other users read it, and no draft is left beside it."""
    path = tmp_path / "holdfast.prom"
    path.write_text("old and longer than what follows\n")
    path.chmod(0o600)
    write_textfile(path, TEXT)
    assert path.read_text() == TEXT
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "fault"),
    [("metrics.txt", "node_exporter reads"), ("none/x.prom", "no such file"), ("folder.prom", "is a directory")],
)
def test_textfile_that_cannot_be_is_refused(tmp_path: Path, name: str, fault: str) -> None:
    """Nothing is left behind."""
    (tmp_path / "folder.prom").mkdir()
    with pytest.raises(UsageError, match=fault):
        write_textfile(tmp_path / name, TEXT)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.prom"]
