"""Is it the cluster whose WAL and base backups belong to the environment?"""

from __future__ import annotations

from holdfast.environment import Environment
from holdfast.manifest.base_backup import BaseBackupManifest
from holdfast.wal.server import WalSource, demand_identity


def demand_own_cluster(environment: Environment, cluster: WalSource, known: list[BaseBackupManifest]) -> None:
    """Raise PermanentError for another cluster than the policy names, or the store holds WAL or base backups of."""
    systems = {manifest.system_identifier for manifest in known} | _of_wal(environment, cluster.system_identifier)
    demand_identity(cluster, systems, environment.policy.database.system_identifier, environment.title)


def _of_wal(environment: Environment, own: str) -> set[str]:
    """``own`` where there is WAL of it, else one of others; a store's WAL can be long, and is not listed for this."""
    keys, store = environment.keys, environment.store
    if next(iter(store.list(keys.wal_of(own))), None) is not None:
        return {own}
    below = (stored.key[len(keys.wal) :].split("/") for stored in store.list(keys.wal))
    # Where a cluster's WAL has expired, what was said of it may still stand.
    other = next((parts[0] for parts in below if len(parts) > 1 and parts[1] not in ("checks", "status")), None)
    return set() if other is None else {other}
