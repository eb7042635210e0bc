"""Approvals: who agreed to exactly what, as signed records in the store."""
