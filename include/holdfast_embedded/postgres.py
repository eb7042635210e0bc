"""Bridge while importers move."""

from holdfast.recovery.cluster import Cluster  # noqa: F401
