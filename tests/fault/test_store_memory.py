"""However large an object is, writing and reading it takes a small, fixed amount of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from holdfast_embedded.seaweedfs import SeaweedFS

INCLUDE = Path(__file__).parents[2] / "include"
MIB = 1 << 20
SIZE = 300 * MIB
SCRIPT = """
import json, os, sys
from pathlib import Path
from holdfast.storage.opening import open_store
from holdfast.values.connection import Connection

url, connection, size, piece_bytes, hint = json.loads(sys.stdin.read())
store = open_store(url, Connection(**connection) if connection else None)

def peak():
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) << 10

def pieces():
    for _ in range(size // piece_bytes):
        yield os.urandom(piece_bytes)

store.put("warm/up", [b"x"])
b"".join(store.stream("warm/up"))
Path("/proc/self/clear_refs").write_text("5")  # lets VmHWM begin anew
begun = peak()
assert store.put("a/large", pieces(), size_hint_bytes=hint) == size
written = peak()
assert sum(len(piece) for piece in store.stream("a/large")) == size
store.delete("a/large")
print(json.dumps({"put": written - begun, "get": peak() - begun}))
"""


@pytest.mark.parametrize("piece_bytes", [64 << 10, MIB])
@pytest.mark.parametrize("kind", ["local", "s3"])
def test_memory_stays_small(request: pytest.FixtureRequest, tmp_path: Path, kind: str, piece_bytes: int) -> None:
    """300 MiB pass through with less than 120 MiB more than nothing takes."""
    url, connection = f"file://{tmp_path}/store", None
    if kind == "s3":
        url, connection = _bucket(request)
    growth = _measure(url, connection, piece_bytes, None)
    assert growth["put"] < 120 * MIB
    assert growth["get"] < 120 * MIB


def test_memory_stays_small_in_large_parts(request: pytest.FixtureRequest) -> None:
    """Parts as large as an object of 700 GiB needs them do not add up either."""
    url, connection = _bucket(request)
    assert _measure(url, connection, MIB, 700 << 30)["put"] < 120 * MIB


def _bucket(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    seaweed: SeaweedFS = request.getfixturevalue("seaweed")
    connection = seaweed.connection("memory")
    fields = ("conn_id", "conn_type", "login", "password", "extra")
    return request.getfixturevalue("s3_store").url, {name: getattr(connection, name) for name in fields}


def _measure(url: str, connection: dict[str, object] | None, piece_bytes: int, hint: int | None) -> dict[str, int]:
    found = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT)],
        env={**os.environ, "PYTHONPATH": str(INCLUDE)},
        input=json.dumps([url, connection, SIZE, piece_bytes, hint]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=200,
    )
    growth: dict[str, int] = json.loads(found.stdout)
    print({name: f"{size >> 20} MiB" for name, size in growth.items()})
    return growth
