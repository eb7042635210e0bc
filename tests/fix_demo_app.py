"""The demo's application as `make run` installs it, run like a drill runs it, on copies of its database."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from fix_postgres import FAST, execute
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.account import server_account
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.demo.databases import DEMO_DATABASES, load_demo_databases
from holdfast_embedded.demo.media import make_media
from holdfast_embedded.generated import Secrets
from holdfast_embedded.node import Node
from holdfast_embedded.state import State

DEMO = DEMO_DATABASES[0]
SETTINGS = {"PAYMENTS_ENABLED": "false", "EMAIL_DELIVERY": "disabled", "SESSION_SECRET": "of this drill alone"}
AppCommand = Callable[..., "subprocess.CompletedProcess[str]"]

_STATE = State(Path(__file__).parents[1] / ".holdfast")
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class DemoApp:
    """``folder`` is the policy's app_dir; ``path`` a PATH on which pnpm and node are found."""

    folder: Path
    path: str


@pytest.fixture(scope="session")
def demo_app() -> DemoApp:
    """Its commands are `pnpm db:reconcile` and `pnpm check`."""
    _STATE.logs.mkdir(parents=True, exist_ok=True)
    node = Node(_STATE.tools, _STATE.logs / "node.log")
    node.install_app(_STATE.app)
    return DemoApp(_STATE.app, f"{node.bin}:/usr/sbin:/usr/bin:/sbin:/bin")


@pytest.fixture(scope="session")
def demo_secrets(tmp_path_factory: pytest.TempPathFactory) -> Secrets:
    """Passwords of the demo's roles."""
    return Secrets.load(tmp_path_factory.mktemp("demo-secrets"))


@pytest.fixture(scope="session")
def demo_cluster(tmp_path_factory: pytest.TempPathFactory, demo_secrets: Secrets) -> Iterator[Cluster]:
    """A server that listens on a unix socket alone, with the demo databases."""
    with Cluster(tmp_path_factory.mktemp("demo"), wheel_folder(), port=None, config=FAST) as cluster:
        load_demo_databases(cluster, demo_secrets)
        yield cluster


@pytest.fixture(scope="session")
def demo_media(tmp_path_factory: pytest.TempPathFactory, demo_cluster: Cluster, demo_secrets: Secrets) -> Path:
    """The demo's files."""
    folder = tmp_path_factory.mktemp("demo-media")
    make_media(demo_cluster, demo_secrets, folder)
    return folder


@pytest.fixture
def demo_copy(demo_cluster: Cluster) -> Iterator[Callable[[str], str]]:
    """Makes copies of the demo's databases, to be changed; they are dropped after the test."""
    names: list[str] = []

    def copy(database: str) -> str:
        names.append(f"copy_{next(_numbers)}")
        execute(demo_cluster.url(), f"CREATE DATABASE {names[-1]} TEMPLATE {database}")
        return demo_cluster.url(names[-1])

    yield copy
    for name in names:
        execute(demo_cluster.url(), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def demo_database(demo_copy: Callable[[str], str]) -> str:
    """URL of a copy of Coursepedia's database, in the superuser's name as where it was restored."""
    return demo_copy(DEMO.name)


@pytest.fixture
def app_command(
    demo_app: DemoApp, demo_cluster: Cluster, demo_database: str, demo_media: Path, tmp_path: Path
) -> AppCommand:
    """Runs a command in the application's folder: no network, an environment from nothing, as root another account."""
    account = server_account()
    home = tmp_path / "home"
    account.make_folder(home)
    namespace = ["unshare", "--net"] if account.name else ["unshare", "--user", "--map-current-user", "--net"]
    identity = account.privileges(demo_app.folder, demo_cluster.folder, demo_media, tmp_path)
    own = {
        "PATH": demo_app.path,
        "HOME": str(home),
        "DATABASE_URL": demo_database,
        "STORAGE_PATH": str(demo_media),
    }

    def run(command: str, **settings: str | None) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in (own | SETTINGS | settings).items() if value is not None}
        return subprocess.run(
            [*namespace, "setpriv", *identity, "--", "sh", "-c", command],
            env=environment,
            cwd=demo_app.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run
