"""Retention: decides, purely, what is kept and what expires, each with its reason. Deletes nothing."""

from holdfast.retention.rules import Decision, Point, decide

__all__ = ["Decision", "Point", "decide"]
