"""Doctor's look at what restore checks and drills need of this host."""

from __future__ import annotations

import shutil
from pathlib import Path

from holdfast.environment import Environment
from holdfast.errors import DrillError
from holdfast.policy.drill import Drill
from holdfast.postgres.binaries import major_of
from holdfast.recovery import recovery_root
from holdfast.recovery.account import recovery_account
from holdfast.recovery.confinement import confine
from holdfast.recovery.programs import server_for
from holdfast.values import figures
from holdfast.values.check import Check

_TIERS = ("restore_check", "restore_drill")


def take_place_here(environment: Environment) -> bool:
    """Does the policy ask for them, and has this host the identity that they need?"""
    identity = environment.policy.keys.identity_file
    wanted = environment.policy.drill is not None or any(tier in environment.policy.tiers for tier in _TIERS)
    return wanted and identity is not None and Path(identity).is_file()


def room(environment: Environment) -> Check | str:
    """Whether the recovery folder has room for the database as it was at the newest restore point."""
    root = recovery_root()
    free_bytes = shutil.disk_usage(root).free
    needed_bytes = _newest_database(environment)[1]
    text = f"{root}, {figures.size(free_bytes)} free"
    if needed_bytes is None or free_bytes > 2 * needed_bytes:
        return text
    told = f"{text}; the restored database takes about {figures.size(needed_bytes)}, and its archive room besides"
    return Check("recovery folder", "warning", told, "Name a folder on a larger disk in HOLDFAST_RECOVERY.")


def server(environment: Environment) -> str:
    """Which PostgreSQL restores are tried on; raises DrillError where there is none."""
    named = _rules(environment).server
    if named is not None:
        return f"the server of connection {named.conn_id}"
    found = server_for(_newest_database(environment)[0])
    return f"throwaway, PostgreSQL {found.major} ({found.folder})"


def commands(environment: Environment) -> str:
    """How the application's commands are confined; raises DrillError where that cannot be had here."""
    rules = _rules(environment)
    if rules.app_dir is not None and not Path(rules.app_dir).is_dir():
        raise DrillError(
            f"drill.app_dir {rules.app_dir}: no such directory on this host",
            hint="Install the application there, in the version that fits the restore points.",
        )
    proof = confine(rules.network, recovery_account()).proof
    return f"{len(rules.commands)}, network {proof.network}, interfaces: {', '.join(proof.interfaces) or 'none'}"


def has_commands(environment: Environment) -> bool:
    """Does a drill run any?"""
    return bool(_rules(environment).commands)


def _rules(environment: Environment) -> Drill:
    return environment.policy.drill or Drill()


def _newest_database(environment: Environment) -> tuple[int, int | None]:
    """(major version, bytes on disk) of the database at the newest restore point; (1, None) before there is one."""
    committed = [entry.id for entry in environment.catalog.entries() if entry.is_committed]
    if not committed:
        return 1, None
    source = environment.catalog.manifest(committed[-1], environment.verifier()).database.source
    return major_of(source.server_version), source.database_bytes
