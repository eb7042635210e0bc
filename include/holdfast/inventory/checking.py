"""Checks the inventory that a policy names: that it can be used, and how it has drifted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from holdfast.errors import UsageError
from holdfast.inventory.drift import Drift, drift_of
from holdfast.inventory.env_names import read_env_names
from holdfast.inventory.loading import load_inventory
from holdfast.inventory.model import Inventory
from holdfast.policy import EnvironmentPolicy


def check_inventory(policy: EnvironmentPolicy, today: date) -> tuple[Inventory, Drift]:
    """The inventory and its drift as of ``today`` (in the environment's time zone).

    Raises InventoryError where the file has a fault or holds a value, UsageError where the policy names none.
    """
    section = policy.inventory
    if section is None:
        raise UsageError(
            "the policy names no inventory for this environment", hint="Add inventory: {file: …} to the environment."
        )
    inventory = load_inventory(Path(section.file))
    names = read_env_names(Path(section.names_from)) if section.names_from is not None else None
    return inventory, drift_of(inventory, names, today)
