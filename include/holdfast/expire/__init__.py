"""Expire: acts on what retention decided, manifest first, and collects the remnants of dead backups."""

from holdfast.expire.expiry import ExpireReport, expire
from holdfast.expire.holds import add_hold, remove_hold

__all__ = ["ExpireReport", "add_hold", "expire", "remove_hold"]
