"""The guarded migration: the application's own migration command on the live database, behind a fresh snapshot."""

from holdfast.operation.migration.checking import check_live
from holdfast.operation.migration.following import find_failed, run_follow_up
from holdfast.operation.migration.planning import plan_migration
from holdfast.operation.migration.running import run_migration

__all__ = ["check_live", "find_failed", "plan_migration", "run_follow_up", "run_migration"]
