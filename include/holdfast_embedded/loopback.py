"""Bridge while importers move."""

from holdfast.recovery.loopback import unused_port  # noqa: F401
