"""A site: one app with one environment, real keys, a store, and the command line in its surroundings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from holdfast.crypto.keyfiles import new_keys
from holdfast.environment import Environment, open_environment
from holdfast.values.airflow_conn import EnvironmentConnections

PROJECT = Path(__file__).parent.parent

POLICY = """\
app: shop
environments:
  production:
    database: {{conn_id: shop_db}}
    store: {{url: "{store_url}", conn_id: {store_conn}}}
    keys:
      recipients_file: {keys}/recipient.txt
      identity_file: {keys}/identity.txt
      signing_key_file: {keys}/signing.pem
      verify_key_file: {keys}/signing.pub
    tiers:
      nightly: {{schedule: "0 2 * * *", keep: 35d}}
      monthly: {{schedule: "0 3 1 * *", keep: 12mo}}
      snapshot: {{keep: 90d}}
"""


@dataclass(frozen=True)
class Site:
    """Paths and connections of one test's app; ``variables`` are what a user would have exported."""

    folder: Path
    policy_file: Path
    keys: Path
    store_folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def environment(self) -> Environment:
        """The opened environment, as use cases want it."""
        return open_environment(self.policy_file, "production", EnvironmentConnections(self.variables))

    def edit_policy(self, old: str, new: str) -> None:
        """Change the policy file as a user would."""
        text = self.policy_file.read_text()
        assert old in text
        self.policy_file.write_text(text.replace(old, new))

    def command(self, *arguments: str) -> list[str]:
        """The argv of a CLI call."""
        return [sys.executable, "-m", "holdfast", *arguments]

    def surroundings(self, **more: str) -> dict[str, str]:
        """The environment variables of a CLI call."""
        base = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return base | {"PYTHONPATH": str(PROJECT / "include"), "TMPDIR": str(self.scratch)} | self.variables | more

    @property
    def scratch(self) -> Path:
        """TMPDIR of CLI calls: whatever is left there after a test is a leftover."""
        path = self.folder / "scratch"
        path.mkdir(exist_ok=True)
        return path

    def run(
        self, *arguments: str, stdin: bytes | None = None, expect: int | None = 0, **more: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run the CLI to its end; ``expect`` is the exit status it must have (None: any)."""
        done = subprocess.run(
            self.command(*arguments),
            input=stdin if stdin is not None else b"",
            capture_output=True,
            env=self.surroundings(**more),
            cwd=self.folder,
            timeout=240,
            check=False,
        )
        if expect is not None:
            assert done.returncode == expect, (done.returncode, done.stdout[-2000:], done.stderr[-4000:])
        return done

    def json(self, *arguments: str, expect: int | None = 0, **more: str) -> Any:
        """Run the CLI with --json; stdout must hold one JSON object and nothing else."""
        return json.loads(self.run(*arguments, "--json", expect=expect, **more).stdout)

    def backup(self, tier: str = "nightly") -> str:
        """Take a restore point; returns its id."""
        found = self.json("backup", str(self.policy_file), "production", tier)
        return str(found["id"])

    def ids(self) -> list[str]:
        """The ids of all restore points, oldest first."""
        found = self.json("list", str(self.policy_file), "production")
        return [point["id"] for point in found["restore_points"]]

    def stored_files(self) -> list[str]:
        """Every file of a local store, relative to its root."""
        return sorted(
            str(path.relative_to(self.store_folder)) for path in self.store_folder.rglob("*") if path.is_file()
        )


MakeSite = Callable[..., Site]


@pytest.fixture
def make_site(tmp_path: Path) -> Iterator[MakeSite]:
    """Builds a site around a database URL; a local store unless ``store_url`` and ``store_conn`` say otherwise."""

    def make(database_url: str, *, store_url: str | None = None, store_conn: str | None = None) -> Site:
        folder = tmp_path / "site"
        folder.mkdir()
        store_folder = folder / "store"
        variables = {"AIRFLOW_CONN_SHOP_DB": database_url}
        if store_conn is not None:
            variables["AIRFLOW_CONN_SHOP_STORE"] = store_conn
        keys = folder / "keys"
        new_keys(keys)
        policy_file = folder / "shop.yaml"
        policy_file.write_text(
            POLICY.format(
                store_url=store_url or f"file://{store_folder}",
                store_conn="shop_store" if store_conn is not None else "null",
                keys=keys,
            )
        )
        return Site(folder, policy_file, keys, store_folder, variables)

    yield make
