"""docker-compose as a checker: resolves docker-compose.yaml without any engine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parent.parent
STATE = PROJECT / ".holdfast"


@dataclass(frozen=True, slots=True)
class Compose:
    """The program, and what deploy/make-secrets.sh has printed for .env."""

    program: str
    variables: Mapping[str, str]

    def secret(self, name: str) -> Path:
        """The file of one secret on the host."""
        return Path(self.variables["HOLDFAST_SECRETS"]) / name

    def run(
        self, *arguments: str, variables: Mapping[str, str], files: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """Run it on the project's file and ``files`` over it, in an environment of ``variables`` alone."""
        options = [option for name in ("docker-compose.yaml", *files) for option in ("-f", str(PROJECT / name))]
        return subprocess.run(
            [self.program, "--env-file", os.devnull, *options, *arguments],
            env={"PATH": os.defpath, **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def resolve(self, *, profiles: Sequence[str] = (), files: Sequence[str] = (), **more: str) -> dict[str, Any]:
        """The configuration as compose understands it."""
        options = [option for profile in profiles for option in ("--profile", profile)]
        done = self.run(*options, "config", "--format", "json", variables={**self.variables, **more}, files=files)
        assert done.returncode == 0, done.stderr
        resolved: dict[str, Any] = json.loads(done.stdout)
        return resolved


def make_secrets(folder: Path, *options: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run deploy/make-secrets.sh; as root it is told who the containers are to run as."""
    ids = {"HOLDFAST_UID": "10001", "HOLDFAST_GID": "10001"} if os.geteuid() == 0 else {}
    return subprocess.run(
        [PROJECT / "deploy" / "make-secrets.sh", *options, folder],
        env={"PATH": os.environ["PATH"], **ids, **more},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def variables_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The lines for .env that deploy/make-secrets.sh has printed."""
    assert done.returncode == 0, done.stderr
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


@pytest.fixture(scope="session")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """docker-compose, with secrets of a deployment and its demo as an operator makes them."""
    fetched = subprocess.run(
        [PROJECT / "tools" / "fetch-docker-compose.sh", STATE], capture_output=True, text=True, timeout=300, check=False
    )
    assert fetched.returncode == 0, fetched.stderr
    secrets = tmp_path_factory.mktemp("deployment") / "secrets"
    return Compose(fetched.stdout.strip(), variables_of(make_secrets(secrets, "--demo")))
