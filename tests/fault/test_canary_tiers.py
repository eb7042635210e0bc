"""Every tier by the command line, with secrets in every place that it reads: none of them gets out."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from canary import Canary, files_below, hits, watched_processes
from fix_environment import Site
from fix_postgres import execute
from fix_recovery import recovery_root_for_tests
from fix_wal import MakeStreamed, Streamed
from holdfast.recovery.cluster import Cluster

LOGIN, HOOK, WRONG, COMMAND = map(Canary.hatch, ("Login", "Hook", "Wrong", "Command"))
TOKEN, CARD = Canary.token("Token"), Canary.card()
ALL = (LOGIN, HOOK, WRONG, COMMAND, TOKEN, CARD)
SHOP = """
CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
INSERT INTO orders (note) SELECT md5(n::text) FROM generate_series(1, 500) n;
CREATE TABLE cards (pan text);
INSERT INTO cards VALUES ('{card}');
"""
# As applications do when they fail: what they were given, and what they found.
LEAK = f"""#!/bin/sh
echo "connecting to postgres://app:{COMMAND.encoded}@db.example:5432/shop"
echo 'SMTP_PASSWORD="{TOKEN.value}"'
echo "Authorization: Bearer {TOKEN.value}" >&2
echo "refused card {CARD.value} ({CARD.middle})" >&2
exit 3
"""


@dataclass
class Listener:
    """A webhook: what it was sent, and the URL with its secrets."""

    port: int
    received: list[bytes] = field(default_factory=list)

    def variable(self, password: Canary = HOOK) -> str:
        """The connection to it."""
        url = f"json://hook:{password.encoded}@127.0.0.1:{self.port}/{TOKEN.value}/alert"
        return json.dumps({"conn_type": "apprise", "extra": {"config": {"path": url, "tag": "ops"}}})


@contextmanager
def listener() -> Iterator[Listener]:
    """A real HTTP server on loopback that takes whatever it is sent."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            found.received.append(self.rfile.read(int(self.headers["Content-Length"] or 0)))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Listener(server.server_port)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@dataclass
class Round:
    """Commands run one after the other, and what they said."""

    site: Site
    said: dict[str, bytes] = field(default_factory=dict)

    def run(self, command: str, *more: str, environment: str = "production", expect: int | None = 0) -> bytes:
        """One command for an environment, with --debug; returns its stdout."""
        words = ["--debug", *command.split(), str(self.site.policy_file), environment, *more]
        done = self.site.run(*words, expect=None)
        self.keep(f"{environment}: {command}", done)
        if expect is not None:
            assert done.returncode == expect, (command, done.stdout[-2000:], done.stderr[-4000:])
        return done.stdout

    def keep(self, name: str, done: subprocess.CompletedProcess[bytes]) -> None:
        """What a command said is a channel of its own."""
        self.said[f"stdout of {name}"], self.said[f"stderr of {name}"] = done.stdout, done.stderr


@pytest.fixture
def hook() -> Iterator[Listener]:
    with listener() as made:
        yield made


@pytest.fixture
def streamed(wal18: Cluster, make_streamed: MakeStreamed, tmp_path: Path, hook: Listener) -> Iterator[Streamed]:
    """A shop with everything in its policy, whose database is reached with a password that sings."""
    with recovery_root_for_tests() as recovery:
        url = wal18.create_database("canary_tiers")
        execute(url, SHOP.format(card=CARD.value))
        quoted = LOGIN.value.replace("'", "''")
        execute(wal18.url(), f"CREATE ROLE tiers SUPERUSER LOGIN REPLICATION PASSWORD '{quoted}'")
        made = make_streamed(wal18, tiers="media: {keep: 7d}\npitr_check: {keep: 90d}\nrestore_check: {}")
        _furnish(made.site, wal18, hook, recovery)
        yield made
    execute(wal18.url(), "DROP DATABASE canary_tiers WITH (FORCE)")
    execute(wal18.url(), "DROP DATABASE IF EXISTS canary_target WITH (FORCE)")
    execute(wal18.url(), "DROP ROLE tiers")


def _furnish(site: Site, cluster: Cluster, hook: Listener, recovery: Path) -> None:
    for folder in ("media", "app"):
        (site.folder / folder).mkdir()
    (site.folder / "media/one.txt").write_text("lesson 1")
    (site.folder / "app/leak.sh").write_text(LEAK)
    cluster.create_database("canary_target")
    variables = {
        "AIRFLOW_CONN_SHOP_DB": cluster.url("canary_tiers", user="tiers", password=LOGIN.value),
        "AIRFLOW_CONN_TARGET": cluster.url("canary_target", user="tiers", password=LOGIN.value),
        "AIRFLOW_CONN_WRONG": cluster.url("canary_tiers", user="tiers", password=WRONG.value),
        "AIRFLOW_CONN_AWAY": f"postgresql://tiers:{WRONG.encoded}@127.0.0.1:1/shop",
        "AIRFLOW_CONN_PAGER": hook.variable(),
        "HOLDFAST_RECOVERY": str(recovery),
    }
    site.variables.update(variables)
    policy = yaml.safe_load(site.policy_file.read_text())
    production = policy["environments"]["production"]
    production |= {
        "media": {"source": f"file://{site.folder}/media"},
        "drill": {"app_dir": str(site.folder / "app"), "commands": ["sh leak.sh"]},
        "alerts": {"conn_id": "pager"},
    }
    plain = {"keys": production["keys"], "tiers": {"nightly": {"keep": "35d"}}}
    for name in ("wrong", "away"):
        policy["environments"][name] = {**plain, "store": production["store"], "database": {"conn_id": name}}
    site.policy_file.write_text(yaml.safe_dump(policy, sort_keys=False))


def test_no_tier_gives_a_secret_away(streamed: Streamed, hook: Listener) -> None:
    """Neither what it says, nor what it stores, tells people, leaves on the disk, or shows to other processes."""
    site, round = streamed.site, Round(streamed.site)
    with watched_processes(*ALL) as processes:
        _take(round, streamed)
        _prove(round)
        _change(round, streamed)
        _fail(round)
    stored = files_below(site.store_folder, site.scratch, Path(site.variables["HOLDFAST_RECOVERY"]))
    told = {f"message {number}": body for number, body in enumerate(hook.received)}
    assert told
    assert any(b"***@db.example:5432/shop" in content for content in stored.values()), "the command's output is kept"
    assert hits({**round.said, **stored, **told}, ALL) == []
    assert not processes.hits
    assert "pg_receivewal" in processes.fed


def _take(round: Round, streamed: Streamed) -> None:
    """Everything that takes backups."""
    site = streamed.site
    stream = site.command("wal", "stream", str(site.policy_file), "production")
    with subprocess.Popen(
        stream, env=site.surroundings(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=site.folder
    ) as streaming:
        try:
            round.run("base-backup")
            for tier in ("nightly", "monthly"):
                round.run("backup", tier)
            round.run("backup", "snapshot", "--label", "pre-deploy")
            round.run("media sync")
            streamed.write(10)
        finally:
            streaming.terminate()
            output, errors = streaming.communicate(timeout=60)
    round.said |= {"stdout of wal stream": output, "stderr of wal stream": errors}


def _prove(round: Round) -> None:
    """Everything that reads backups, and tells people of them."""
    for command in ("media check", "wal check", "pitr window", "list", "evidence list", "audit show", "audit verify"):
        round.run(command)
    leaked = round.run("drill", expect=1)
    assert b"exit status 3" in leaked
    round.run("drill", "--pitr")
    round.run("doctor", expect=None)
    round.run("metrics", expect=None)
    round.run("alerts test")
    for command in ("watch", "status"):
        done = round.site.run("--debug", command, str(round.site.policy_file), expect=None)
        round.keep(command, done)
    assert b"Traceback" not in done.stderr


def _change(round: Round, streamed: Streamed) -> None:
    """Everything that writes into databases, and retention."""
    streamed.execute("DELETE FROM orders WHERE id = 3", "canary_tiers")
    point = json.loads(round.run("list", "--json"))["restore_points"][0]["id"]
    round.run("verify", point)
    round.run("fetch", point, "globals.sql")
    round.run("restore", point, "--to", "target")
    round.run("restore", point, "--to", "target", expect=1)
    round.run("tables", point, "--table", "public.orders")
    round.run("rows", point, "--table", "public.orders", "--key", "id=3")
    round.run("switch", point)
    round.run("expire", "--dry-run")


def _fail(round: Round) -> None:
    """What goes wrong tells most."""
    assert b"authentication failed" in _errors(round, "backup", "nightly", environment="wrong")
    assert b"Connection refused" in _errors(round, "backup", "nightly", environment="away")
    point = json.loads(round.run("list", "--json"))["restore_points"][0]["id"]
    _errors(round, "restore", point, "--to", "wrong")
    variables = round.site.variables
    variables["AIRFLOW_CONN_PAGER"] = variables["AIRFLOW_CONN_PAGER"].replace("127.0.0.1", "localhost.invalid")
    _errors(round, "alerts test")
    variables["AIRFLOW_CONN_SHOP_DB"] = f"postgresql://tiers:{WRONG.value}@127.0.0.1:1/shop"
    _errors(round, "doctor")
    _errors(round, "backup", "nightly")


def _errors(round: Round, command: str, *more: str, environment: str = "production") -> bytes:
    """What a command says that must fail."""
    round.run(command, *more, environment=environment, expect=None)
    said = round.said[f"stderr of {environment}: {command}"]
    assert b"error: " in said or command == "doctor", said
    return said
