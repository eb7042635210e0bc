"""Drills: restore a restore point for real in a recovery environment, check it, record evidence."""
