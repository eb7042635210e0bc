"""Tell people of runs that fail or are late, by the way that the policy names."""

from holdfast_airflow.notifiers.run import HoldfastNotifier
from holdfast_airflow.notifiers.watch import WatchNotifier

__all__ = ["HoldfastNotifier", "WatchNotifier"]
