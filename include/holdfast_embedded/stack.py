"""Everything that `make run` starts, in its order; leaving the context ends it in the reverse one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from holdfast.crypto.keyfiles import new_keys
from holdfast.errors import HoldfastError, PermanentError
from holdfast.recovery.cluster import Cluster
from holdfast_embedded.airflow.api import AirflowApi
from holdfast_embedded.airflow.environment import ADMIN, airflow_environment, our_programs
from holdfast_embedded.airflow.metadata import make_metadata
from holdfast_embedded.airflow.servers import await_healthy, start_airflow
from holdfast_embedded.demo.buckets import make_buckets
from holdfast_embedded.demo.connections import demo_connections
from holdfast_embedded.demo.databases import load_demo_databases
from holdfast_embedded.demo.media import make_media
from holdfast_embedded.generated import Secrets
from holdfast_embedded.node import Node
from holdfast_embedded.port_choice import choose_port
from holdfast_embedded.programs import server_programs, server_settings
from holdfast_embedded.protected import Protected, read_policies
from holdfast_embedded.seaweedfs import SeaweedFS
from holdfast_embedded.server import Server, end_all
from holdfast_embedded.shell_file import write_shell_file
from holdfast_embedded.state import State
from holdfast_embedded.terminal import tell

_UI_PORT = 8080
_POSTGRES_PORT = 15432
_S3_PORT = 8333
_AIRFLOW_GRACE_S = 5.0


@dataclass(frozen=True, slots=True)
class Stack:
    """The running servers, and what is needed to use them."""

    cluster: Cluster
    store: SeaweedFS
    airflow: tuple[Server, ...]
    api: AirflowApi
    ui_url: str
    shell_file: Path
    secrets: Secrets
    protected: Protected

    def require(self) -> None:
        """Raise PermanentError when any server has ended by itself."""
        for server in self.airflow:
            server.require()
        if not self.cluster.is_running():
            raise PermanentError(f"PostgreSQL ended by itself; see {self.cluster.log}")
        if not self.store.is_running():
            raise PermanentError("SeaweedFS ended by itself")


@contextmanager
def started_stack(project: Path, state: State) -> Iterator[Stack]:
    """Start everything and wait until it is healthy; raises HoldfastError with what is lacking."""
    secrets = Secrets.load(state.secrets)
    if not any(state.keys.iterdir()):
        new_keys(state.keys)
        tell(f"made keys in {state.keys}: whoever loses them loses every backup")
    with ExitStack() as stack:
        cluster = _start_postgres(stack, state)
        store = _start_store(stack, state, secrets)
        connections = demo_connections(cluster, store, secrets, os.environ)
        ui_port = choose_port(_UI_PORT)
        environment = {
            **airflow_environment(project, state, secrets, cluster, ui_port=ui_port, caller=os.environ),
            **connections,
        }
        protected = read_policies(project / "dags", environment)
        shell_file = state.secrets / "environment.sh"
        write_shell_file(shell_file, environment, connections, our_programs(state))
        make_metadata(cluster, secrets, environment, project, state.logs)
        airflow = start_airflow(project, state.logs, environment)
        stack.callback(end_all, airflow, _AIRFLOW_GRACE_S)
        tell("starting Airflow (api-server, scheduler, dag-processor, triggerer)")
        # What follows is done while Airflow gets up.
        load_demo_databases(cluster, secrets)
        make_media(cluster, secrets, state.media / "coursepedia")
        make_buckets(protected, store, connections)
        install_app(state)
        url = f"http://127.0.0.1:{ui_port}"
        api = AirflowApi(url, ADMIN, secrets.admin_password)
        await_healthy(api, airflow)
        tell(f"Airflow is healthy at {url}")
        yield Stack(cluster, store, tuple(airflow), api, url, shell_file, secrets, protected)


def install_app(state: State) -> None:
    """Without it everything but the commands of a drill works: a machine without network must still come up."""
    try:
        Node(state.tools, state.logs / "node.log").install_app(state.app)
    except (HoldfastError, OSError) as error:
        tell(f"coursepedia production: its drill cannot run its commands: {error}")


def _start_postgres(stack: ExitStack, state: State) -> Cluster:
    programs = server_programs()
    cluster = Cluster(state.postgres, programs, port=choose_port(_POSTGRES_PORT), config=server_settings(programs))
    stack.enter_context(cluster)
    tell(f"PostgreSQL is up on 127.0.0.1:{cluster.port}")
    return cluster


def _start_store(stack: ExitStack, state: State, secrets: Secrets) -> SeaweedFS:
    store = SeaweedFS(
        state.seaweedfs, port=choose_port(_S3_PORT), access_key=secrets.s3_access_key, secret_key=secrets.s3_secret_key
    )
    stack.enter_context(store)
    tell(f"SeaweedFS (S3) is up at {store.endpoint}")
    return store
