"""Guard: looks at the place that holds the backups, whether it is safe from loss, strangers and the application."""

from holdfast.guard.examination import apply_store, check_store
from holdfast.values.check import Check

__all__ = ["Check", "apply_store", "check_store"]
