"""Reads from an environment's store what the watch judges by, and never raises for what it finds there."""

from holdfast.watch.reading.facts_reading import read_facts

__all__ = ["read_facts"]
