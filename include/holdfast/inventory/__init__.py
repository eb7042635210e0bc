"""The configuration inventory: which variables an application has, whose they are, and never their values."""

from holdfast.inventory.checking import check_inventory
from holdfast.inventory.drift import Drift, drift_of
from holdfast.inventory.env_names import EnvNames, read_env_names
from holdfast.inventory.loading import load_inventory
from holdfast.inventory.model import Inventory, Variable

__all__ = [
    "Drift",
    "EnvNames",
    "Inventory",
    "Variable",
    "check_inventory",
    "drift_of",
    "load_inventory",
    "read_env_names",
]
