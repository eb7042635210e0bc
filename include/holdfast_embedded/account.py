"""Bridge while importers move."""

from holdfast.recovery.account import Account, server_account  # noqa: F401
