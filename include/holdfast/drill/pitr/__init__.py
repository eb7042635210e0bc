"""Drills that recover a cluster to an instant, by a base backup and the WAL behind it."""
