"""The audit trail: who triggered, approved, deleted, held and exported what, in signed records that form a chain."""
