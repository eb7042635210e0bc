"""The search for canaries finds one, in each place and spelling where it could be."""

from __future__ import annotations

import base64
import html
import json
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from canary import Canary, Processes, files_below, hits
from holdfast.redaction import redact

SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "url": quote,
    "component": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "twice": lambda text: quote(quote(text)),
    "json": json.dumps,
    "python": repr,
    "html": html.escape,
    "shell": shlex.quote,
    "basic": lambda text: base64.b64encode(f"someone:{text}".encode()).decode(),
    "whole": lambda text: base64.b64encode(text.encode()).decode(),
    "url with login": lambda text: f"postgres://u:{quote(text, safe='')}@h/d",
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_canary_is_found_in_every_spelling(spelling: str) -> None:
    """Planted in a channel among others."""
    canary = Canary.hatch("One")
    channels = {"log": b"nothing", "store": f"before {SPELLINGS[spelling](canary.value)} after".encode()}
    (hit,) = hits(channels, (canary, Canary.hatch("Other")))
    assert hit.startswith("One in store")


def test_card_is_found_bare_and_grouped() -> None:
    """And it is one that the redactor takes for a card."""
    canary = Canary.card()
    assert len(hits({"a": canary.value.encode(), "b": canary.middle.encode()}, (canary,))) == 2
    assert redact(f"{canary.value} {canary.middle}") == "*** ***"


def test_canary_is_found_in_files(tmp_path: Path) -> None:
    """Wherever below the folders."""
    canary = Canary.token("File")
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "manifest.json").write_text(f'{{"x": "{canary.value}"}}')
    (hit,) = hits(files_below(tmp_path), (canary,))
    assert "manifest.json" in hit


@pytest.mark.parametrize(
    ("argv", "variable", "is_hit"),
    [
        (["sleep", "60", "{}"], "HARMLESS=1", True),
        (["sleep", "60"], "PGPASSWORD={}", True),
        (["sleep", "60"], "DATABASE_URL=postgres://u:{}@h/d", True),
        (["python", "-m", "holdfast", "list"], "AIRFLOW_CONN_SHOP_DB=postgres://u:{}@h/d", False),
        (["python", "-m", "airflow", "scheduler"], "AIRFLOW_CONN_SHOP_DB=postgres://u:{}@h/d", True),
        (["setpriv", "--", "/usr/bin/pg_dump", "--file=x"], "PGPASSWORD={}", False),
        (["sh", "-c", '"/usr/bin/pg_dump" -V'], "PGPASSWORD={}", False),
        (["sh", "-c", "sleep 60"], "PGPASSWORD={}", True),
        (["/usr/bin/pg_dump", "{}"], "PGPASSWORD={}", True),
        (["/usr/bin/pg_dump"], "SHELL={}", True),
    ],
)
def test_canary_is_found_in_processes(argv: list[str], variable: str, is_hit: bool) -> None:
    """In arguments of all, and in the environment of those that do not need it."""
    canary = Canary.hatch("Proc")
    words = [word.format(canary.encoded) for word in argv]
    name, _, value = variable.partition("=")
    # A shell under another name stands there with these arguments until its stdin ends.
    with subprocess.Popen(
        [words[0], "-c", "echo; read line", *words],
        executable="/bin/sh",
        env={name: value.format(canary.encoded)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        processes = Processes((canary,))
        processes.sample(set())
        process.communicate(b"\n")
    assert bool(processes.hits) == is_hit
    assert processes.fed or is_hit
