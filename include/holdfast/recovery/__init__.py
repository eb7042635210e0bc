"""Recovery environments: throwaway servers and confined commands, where restores are tried."""

from holdfast.recovery.commands import CommandOutcome
from holdfast.recovery.environment import Recovery, opened_recovery
from holdfast.recovery.place import recovery_root
from holdfast.recovery.preparation import prepare_recovery
from holdfast.recovery.removal import remove_leftovers, remove_recovery
from holdfast.recovery.throwaway import is_cut_off

__all__ = [
    "CommandOutcome",
    "Recovery",
    "is_cut_off",
    "opened_recovery",
    "prepare_recovery",
    "recovery_root",
    "remove_leftovers",
    "remove_recovery",
]
