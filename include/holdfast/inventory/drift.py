"""Drift: how the inventory and the application's env file differ, and whose rotation is due."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from holdfast.inventory.env_names import EnvNames
from holdfast.inventory.model import Inventory


@dataclass(frozen=True, slots=True)
class Drift:
    """Names of variables, sorted.

    ``missing``: in the inventory, not in the env file. ``undocumented``: in the env file, not in the
    inventory. ``overdue``: their ``rotate_by`` has passed. ``is_compared`` is false where the policy names no
    env file, or where it could not be read: ``unread`` then says why.
    """

    missing: tuple[str, ...]
    undocumented: tuple[str, ...]
    overdue: tuple[str, ...]
    is_compared: bool
    unread: str | None

    @property
    def is_clean(self) -> bool:
        """Whether there is nothing for a person to do."""
        return not (self.missing or self.undocumented or self.overdue or self.unread)


def drift_of(inventory: Inventory, env: EnvNames | None, today: date) -> Drift:
    """Compare with the names of the env file, None where the policy names no such file.

    A variable is due on its day and overdue from the day after.
    """
    is_compared = env is not None and env.unread is None
    found = env.names if env is not None and is_compared else inventory.names
    return Drift(
        missing=tuple(sorted(inventory.names - found)),
        undocumented=tuple(sorted(found - inventory.names)),
        overdue=tuple(
            sorted(one.name for one in inventory.variables if one.rotate_by is not None and one.rotate_by < today)
        ),
        is_compared=is_compared,
        unread=env.unread if env is not None else None,
    )
