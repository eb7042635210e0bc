"""A fleet: the services of docker-compose.yaml as plain processes, each with folders and secrets of its own.

Commands, environments, secrets and health checks are those of the resolved file. Only places differ: what
lies at the root of a container lies in the service's home, and what are hosts there are ports on loopback.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from fix_compose import PROJECT, Compose, DeploymentSecrets

from holdfast_embedded.loopback import unused_port
from holdfast_embedded.server import Server, end_all

_PLACES = ("/run/secrets", "/opt/airflow", "/var/lib/holdfast", "/scratch")
_MOUNTED = ("dags", "plugins", "include")
_HEALTHY_S = 120.0
_GRACE_S = 20.0


class Fleet:
    """Services that run until ``end``; ``dags`` is what every service gets a copy of."""

    def __init__(self, folder: Path, compose: Compose, secrets: DeploymentSecrets, dags: Path, postgres: str) -> None:
        self.folder = folder
        self.secrets = secrets
        self._services: Mapping[str, Any] = compose.resolve(HOLDFAST_WORKER_SLOTS="1")["services"]
        self._dags = dags
        self._ports = {name: unused_port() for name in ("redis", "api-server", "scheduler", "triggerer", "logs")}
        self._hosts = {
            "@postgres:5432": f"@{postgres}",
            "@redis:6379": f"@127.0.0.1:{self._ports['redis']}",
            "//api-server:8080": f"//127.0.0.1:{self._ports['api-server']}",
            "//localhost:8080": f"//127.0.0.1:{self._ports['api-server']}",
            "//localhost:8974": f"//127.0.0.1:{self._ports['scheduler']}",
        }
        self._servers: dict[str, Server] = {}

    @property
    def ui(self) -> str:
        """Where Airflow's API answers."""
        return f"http://127.0.0.1:{self._ports['api-server']}"

    def home(self, service: str) -> Path:
        """The folder that stands for the root of the service's container."""
        return self.folder / service

    def secret(self, service: str, name: str) -> Path:
        """Where the service finds a secret, if it has it at all."""
        return self.home(service) / "run" / "secrets" / name

    def start(self, *services: str) -> None:
        """Start services, in that order."""
        for name in services:
            self._servers[name] = self._launch(name)

    def finish(self, service: str) -> None:
        """Run a service that ends by itself."""
        self._launch(service).wait()

    def await_healthy(self, *services: str) -> None:
        """Wait until the health check of each succeeds."""
        deadline = time.monotonic() + _HEALTHY_S
        for name in services:
            while (probe := self.probe(name)).returncode != 0:
                self._servers[name].require()
                assert time.monotonic() < deadline, f"{name} is not healthy: {probe.stderr}{self.log(name)[-3000:]}"
                time.sleep(0.5)

    def probe(self, service: str) -> subprocess.CompletedProcess[str]:
        """Run the service's health check once."""
        kind, *command = self._services[service]["healthcheck"]["test"]
        argv = ["sh", "-c", command[0]] if kind == "CMD-SHELL" else command
        argv = [self._here(service, part).replace("redis-cli", f"redis-cli -p {self._ports['redis']}") for part in argv]
        return subprocess.run(
            argv, env=self.environment(service), capture_output=True, text=True, timeout=60, check=False
        )

    def log(self, service: str) -> str:
        """What the service has written."""
        return (self.folder / f"{service}.log").read_text(errors="replace")

    def end(self) -> None:
        """End all services, those that others depend on last."""
        last = [self._servers.pop(name) for name in ("redis",) if name in self._servers]
        end_all(list(self._servers.values()), _GRACE_S)
        end_all(last, _GRACE_S)
        self._servers.clear()

    def environment(self, service: str) -> dict[str, str]:
        """The variables of the service's processes."""
        declared = {
            name: self._here(service, value or "")
            for name, value in (self._services[service].get("environment") or {}).items()
        }
        return declared | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home(service)),
            "TMPDIR": str(self.home(service) / "tmp"),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._ports["api-server"]),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self._ports["scheduler"]),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(self._ports["triggerer"]),
            # On one machine only one worker can have the port that the API server asks for logs.
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(0 if service == "worker" else self._ports["logs"]),
        }

    def _launch(self, service: str) -> Server:
        home = self._furnish(service)
        command = [self._here(service, part) for part in self._services[service]["command"]]
        if service == "redis":
            command += ["--bind", "127.0.0.1", "--port", str(self._ports["redis"])]
        log = self.folder / f"{service}.log"
        return Server(service, command, env=self.environment(service), cwd=home / "work", log=log)

    def _furnish(self, service: str) -> Path:
        """Make the service's folders, with copies of what compose mounts there."""
        home = self.home(service)
        for place in (*_PLACES, "/tmp", "/work"):
            (home / place[1:]).mkdir(parents=True)
        for secret in self._services[service].get("secrets", []):
            text = self._here(service, self.secrets.read(self._file_of(secret["source"])))
            target = home / "run/secrets" / Path(secret["target"]).name
            target.touch(0o600)
            target.write_text(text)
        for name in _MOUNTED:
            source = self._dags if name == "dags" else PROJECT / name
            shutil.copytree(source, home / "opt/airflow" / name, ignore=shutil.ignore_patterns("__pycache__"))
        return home

    def _file_of(self, secret: str) -> str:
        return Path(self._files[secret]).name

    def _here(self, service: str, text: str) -> str:
        """Text of the compose file with the places and hosts of this machine."""
        for place in _PLACES:
            text = text.replace(place, f"{self.home(service)}{place}")
        for host, here in self._hosts.items():
            text = text.replace(host, here)
        return text.replace("/opt/holdfast", str(PROJECT))
