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
    """The program, and what `deploy/make-secrets.sh` has printed for .env."""

    program: str
    variables: Mapping[str, str]

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


@dataclass(frozen=True, slots=True)
class DeploymentSecrets:
    """The folder that deploy/make-secrets.sh has filled, and the lines that it printed."""

    folder: Path
    variables: Mapping[str, str]

    def read(self, name: str) -> str:
        """One secret."""
        return (self.folder / name).read_text(encoding="utf-8").strip()


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


@pytest.fixture(scope="session")
def deployment_secrets(tmp_path_factory: pytest.TempPathFactory) -> DeploymentSecrets:
    """Secrets of a deployment with the demo, as an operator makes them."""
    folder = tmp_path_factory.mktemp("deployment") / "secrets"
    done = make_secrets(folder, "--demo")
    assert done.returncode == 0, done.stderr
    lines = (line.partition("=") for line in done.stdout.splitlines())
    return DeploymentSecrets(folder, {name: value for name, _, value in lines})


@pytest.fixture(scope="session")
def compose(deployment_secrets: DeploymentSecrets) -> Compose:
    """docker-compose with the variables that an operator has in .env."""
    fetched = subprocess.run(
        [PROJECT / "tools" / "fetch-docker-compose.sh", STATE], capture_output=True, text=True, timeout=300, check=False
    )
    assert fetched.returncode == 0, fetched.stderr
    return Compose(fetched.stdout.strip(), deployment_secrets.variables)
