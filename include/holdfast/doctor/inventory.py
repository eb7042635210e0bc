"""Doctor's look at the configuration inventory: that it can be used, and that it is true today."""

from __future__ import annotations

from holdfast.environment import Environment
from holdfast.inventory import check_inventory
from holdfast.values.check import Check

_SHOWN = 5


def inventory(environment: Environment) -> Check | str:
    """Whether the inventory names what the application has, and nothing waits for rotation."""
    found, drift = check_inventory(environment.policy, environment.today())
    text = f"{len(found.variables)} variables"
    if drift.is_clean:
        return text if drift.is_compared else f"{text}, compared with no env file"
    told = [
        f"{len(names)} {what}: {', '.join(names[:_SHOWN])}{', …' if len(names) > _SHOWN else ''}"
        for what, names in (
            ("missing", drift.missing),
            ("undocumented", drift.undocumented),
            ("overdue", drift.overdue),
        )
        if names
    ]
    unread = [f"names_from was not read: {drift.unread}"] if drift.unread else []
    hint = "`holdfast inventory check` names them all; correct the inventory file, or rotate what is overdue."
    return Check("inventory", "warning", "; ".join([text, *told, *unread]), hint)
