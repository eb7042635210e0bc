"""The buckets that policies name on the embedded S3 server: made, and set up as backups want them."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from holdfast.environment import Environment
from holdfast.guard import apply_store
from holdfast.storage.opening import open_store
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.keys import EnvironmentKeys
from holdfast_embedded.demo.connections import variable
from holdfast_embedded.protected import Protected, ProtectedEnvironment
from holdfast_embedded.seaweedfs import SeaweedFS
from holdfast_embedded.terminal import tell


def make_buckets(protected: Protected, store: SeaweedFS, connections: Mapping[str, str]) -> None:
    """Create those that stores reached by one of the demo's ``connections`` need; others are their owner's affair.

    Then do what `holdfast store apply` does. What it cannot mend is told, and is for the nightly DAG's guard to judge.
    """
    ours = [environment for environment in protected.environments if _is_ours(environment, connections)]
    for bucket in sorted({urlsplit(environment.policy.store.url).netloc for environment in ours}):
        store.create_bucket(bucket)
    for environment in ours:
        for check in apply_store(_opened(environment, connections)):
            if check.verdict == "failed":
                tell(f"{environment.title}: its store: {check.name}: {check.text}")


def _is_ours(environment: ProtectedEnvironment, connections: Mapping[str, str]) -> bool:
    place = environment.policy.store
    return place.url.startswith("s3://") and bool(place.conn_id) and variable(str(place.conn_id)) in connections


def _opened(environment: ProtectedEnvironment, variables: Mapping[str, str]) -> Environment:
    """The environment, its connections those of the demo rather than of this process."""
    connections = EnvironmentConnections(variables)
    place = environment.policy.store
    return Environment(
        app=environment.app,
        name=environment.name,
        policy_file=environment.policy_file,
        policy=environment.policy,
        keys=EnvironmentKeys(environment.app, environment.name),
        store=open_store(place.url, connections.get(str(place.conn_id))),
        connections=connections,
    )
