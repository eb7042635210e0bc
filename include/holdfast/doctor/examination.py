"""Everything that doctor looks at, in the order in which a backup needs it."""

from __future__ import annotations

from holdfast.doctor import database, drills, inventory, keys, store, wal
from holdfast.environment import Environment
from holdfast.values.check import Check, attempt


def examine(environment: Environment) -> list[Check]:
    """All checks of one environment; leaves nothing behind."""
    checks = [
        attempt("recipients", lambda: keys.recipients(environment)),
        attempt("identity", lambda: keys.identity(environment)),
        attempt("signing", lambda: keys.signing(environment)),
        attempt("store", lambda: store.reachable(environment)),
    ]
    if checks[-1].verdict != "failed":
        checks += [
            attempt("store write", lambda: store.writable(environment)),
            attempt("restore points", lambda: store.newest(environment)),
        ]
    checks.append(attempt("database", lambda: database.connection(environment)))
    if checks[-1].verdict != "failed":
        checks += [
            attempt("client programs", lambda: database.client(environment)),
            *database.privileges(environment),
            *(wal.checks(environment) if environment.policy.database.pitr == "streaming" else ()),
        ]
    if environment.policy.database.pitr != "streaming":
        checks.append(attempt("PITR", lambda: wal.unstreamed(environment)))
    if environment.policy.inventory is not None:
        checks.append(attempt("inventory", lambda: inventory.inventory(environment)))
    if drills.take_place_here(environment):
        checks += [
            attempt("recovery folder", lambda: drills.room(environment)),
            attempt("recovery server", lambda: drills.server(environment)),
        ]
        if drills.has_commands(environment):
            checks.append(attempt("drill commands", lambda: drills.commands(environment)))
    return checks
