"""A fleet: the services of docker-compose.yaml as plain processes, each with folders and secrets of its own.

Commands, environments, secrets and health checks are those of the resolved file. Only places differ: what
lies at the root of a container lies in the service's home, volumes that services share lie beside those homes, and
what are hosts there are ports on loopback.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fix_compose import PROJECT, Compose
from holdfast.recovery.loopback import unused_port
from holdfast_embedded.server import Server, end_all

_PLACES = ("/run/secrets", "/opt/airflow", "/scratch", "/spool")
_VOLUME = "/var/lib/holdfast"  # of one host: its services share it
_CODE = ("dags", "plugins", "include")
# One machine has but one such port, where the API server fetches logs: the recovery worker gets it.
_WITHOUT_LOGS = ("worker", "worker-wal")
_LISTENING = ("redis", "seaweedfs", "api-server", "scheduler", "triggerer", "logs")
_HEALTHY_S = 200.0
_GRACE_S = 20.0


class Fleet:
    """Services that run until ``end``; ``hosts`` says what stands in the place of hosts that it does not run."""

    def __init__(self, folder: Path, compose: Compose, hosts: Mapping[str, str]) -> None:
        self.folder = folder
        resolved = compose.resolve(profiles=["demo"], HOLDFAST_WORKER_SLOTS="2", HOLDFAST_WAL_SLOTS="1")
        self._services: Mapping[str, Any] = resolved["services"]
        self._secret_files = {name: Path(secret["file"]) for name, secret in resolved["secrets"].items()}
        self._ports = {name: str(unused_port()) for name in _LISTENING}
        self.ui = f"http://127.0.0.1:{self._ports['api-server']}"
        self._hosts = {
            "seaweedfs:8333": f"127.0.0.1:{self._ports['seaweedfs']}",
            "127.0.0.1:8333": f"127.0.0.1:{self._ports['seaweedfs']}",
            "redis:6379": f"127.0.0.1:{self._ports['redis']}",
            "http://api-server:8080": self.ui,
            "http://localhost:8080": self.ui,
            "localhost:8974": f"127.0.0.1:{self._ports['scheduler']}",
            **hosts,
        }
        self._servers: dict[str, Server] = {}

    def home(self, service: str) -> Path:
        """The folder that stands for the root of the service's container."""
        return self.folder / service

    def secrets(self, service: str) -> set[str]:
        """The names under which the service finds secrets."""
        return {path.name for path in (self.home(service) / "run/secrets").iterdir()}

    def start(self, *services: str) -> None:
        """Start services, in that order."""
        for name in services:
            self._servers[name] = self._launch(name)

    def finish(self, service: str) -> None:
        """Run a service that ends by itself."""
        self._launch(service).wait()

    def await_healthy(self, *services: str) -> None:
        """Wait until the health check of each has succeeded."""
        deadline = time.monotonic() + _HEALTHY_S
        for name in services:
            while (probe := self.probe(name)).returncode != 0:
                self._servers[name].require()
                assert time.monotonic() < deadline, f"{name} is not healthy: {probe.stderr}{self.log(name)[-3000:]}"
                time.sleep(1)

    def probe(self, service: str) -> subprocess.CompletedProcess[str]:
        """Run the service's health check once."""
        kind, *command = self._services[service]["healthcheck"]["test"]
        return self.run(service, *(["sh", "-c", *command] if kind == "CMD-SHELL" else command))

    def run(self, service: str, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as `docker compose exec` would in the service's container."""
        return subprocess.run(
            [self._here(service, part) for part in command],
            env=self._environment(service),
            cwd=self.home(service) / "cwd",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def log(self, service: str) -> str:
        """What the service has written."""
        return (self.folder / f"{service}.log").read_text(errors="replace")

    def stop(self, service: str, within_s: float) -> None:
        """Ask one service to end, as `docker compose stop` does with all of its processes; it has to by itself."""
        stopped = self._servers.pop(service)
        assert self._environment(service)["TINI_KILL_PROCESS_GROUP"] == "1"
        os.killpg(stopped.pid, signal.SIGTERM)
        deadline = time.monotonic() + within_s
        while stopped.is_running() and time.monotonic() < deadline:
            time.sleep(0.1)
        is_late = stopped.is_running()
        stopped.end(time.monotonic())
        assert not is_late, f"{service} did not end within {within_s} s: {self.log(service)[-3000:]}"

    def end(self) -> None:
        """End all services, first those that depend on others."""
        last = [self._servers.pop(name) for name in ("redis", "seaweedfs") if name in self._servers]
        end_all(list(self._servers.values()), _GRACE_S)
        end_all(last, _GRACE_S)
        self._servers.clear()

    def _launch(self, service: str) -> Server:
        self._furnish(service)
        declared = self._services[service]
        command = [self._here(service, part) for part in (*(declared["entrypoint"] or ()), *declared["command"])]
        command += self._loopback(service)
        environment, log = self._environment(service), self.folder / f"{service}.log"
        return Server(service, command, env=environment, cwd=self.home(service) / "cwd", log=log)

    def _loopback(self, service: str) -> list[str]:
        """Options that bind the services of other projects to loopback and to free ports; the last one given counts."""
        if service == "redis":
            return ["--bind", "127.0.0.1", "--port", self._ports["redis"]]
        if service == "seaweedfs":
            parts = ("master", "volume", "filer", "admin", "s3")
            ports = [f"-{part}.port.grpc={unused_port()}" for part in parts]
            ports += [f"-{part}.port={unused_port()}" for part in parts[:-1]]
            data = f"-dir={self.home(service) / 'work'}"
            return [data, "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={self._ports['seaweedfs']}", *ports]
        return []

    def _furnish(self, service: str) -> None:
        """Make the service's folders, with its secrets and a copy of the code that compose mounts there."""
        home = self.home(service)
        for place in (*_PLACES, "/tmp", "/cwd"):
            (home / place[1:]).mkdir(parents=True)
        for secret in self._services[service].get("secrets", []):
            target = home / "run/secrets" / Path(secret["target"]).name
            target.touch(0o600)
            target.write_text(self._here(service, self._secret_files[secret["source"]].read_text()))
        for name in _CODE:
            shutil.copytree(PROJECT / name, home / "opt/airflow" / name, ignore=shutil.ignore_patterns("__pycache__"))

    def _environment(self, service: str) -> dict[str, str]:
        declared: Mapping[str, str] = self._services[service].get("environment") or {}
        return {name: self._here(service, value) for name, value in declared.items()} | {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home(service)),
            "USER": "holdfast",
            "TMPDIR": str(self.home(service) / "tmp"),
            "PYTHONWARNINGS": "ignore",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": self._ports["api-server"],
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": self._ports["scheduler"],
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": self._ports["triggerer"],
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": "0" if service in _WITHOUT_LOGS else self._ports["logs"],
        }

    def _here(self, service: str, text: str) -> str:
        """Text of the compose file or of a secret, with the places and hosts of this machine."""
        for place in _PLACES:
            text = text.replace(place, f"{self.home(service)}{place}")
        text = text.replace(_VOLUME, f"{self.folder}/volume")
        for host, here in self._hosts.items():
            text = text.replace(host, here)
        text = text.replace("redis-cli ", f"redis-cli -p {self._ports['redis']} ")
        return text.replace("/opt/holdfast", str(PROJECT)).replace("/usr/bin/weed", "weed")
