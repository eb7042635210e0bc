"""A store that fills or grows out of the ordinary, and secrets that were to be changed."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta

from provoking_site import UNSCHEDULED, Expected, Provoked, Scenario, Steps

MIB = 1 << 20
DAY = timedelta(days=1)


def space_short(site: Provoked) -> Steps:
    """One backup more than the policy's limit allows."""
    site.arrange(UNSCHEDULED, alerts=", space_limit: 10MiB")
    site.nights(3, stored_bytes=2 * MIB)
    yield None
    site.point(stored_bytes=6 * MIB)
    yield Expected("the store holds 12.0 MiB of the 10.0 MiB that alerts.space_limit allows", "")
    site.site.edit_policy("space_limit: 10MiB", "space_limit: 100MiB")
    yield None


def growth(site: Provoked) -> Steps:
    """After five even weeks somebody takes large snapshots, day after day."""
    site.arrange(f"{UNSCHEDULED}, snapshot: {{keep: 90d}}")
    site.now -= 36 * DAY
    for _ in range(36):
        site.point(stored_bytes=MIB)
        site.round(24 * 60)
    assert site.hook.taken == []
    yield None
    taken = [site.point(tier="snapshot", stored_bytes=100 * MIB)]
    assert site.round(24 * 60) == (), "one day alone may be before an expire"
    taken.append(site.point(tier="snapshot", stored_bytes=100 * MIB))
    due_at = (site.now + DAY).replace(hour=0, minute=0)
    site.now = due_at - timedelta(minutes=5)
    yield Expected(
        "what the store holds grew by",
        "`holdfast list POLICY production`",
        since=due_at + timedelta(minutes=10) - 7 * DAY,
        due_at=due_at,
    )
    # As expire does it, once the policy lets them go.
    site.site.edit_policy("snapshot: {keep: 90d}", "snapshot: {keep: 1h}")
    for id in taken:
        shutil.rmtree(site.folder(id))
    yield None


def rotation_due(site: Provoked) -> Steps:
    """The day passes by which a secret was to be changed."""
    inventory = site.site.folder / "inventory.yaml"
    text = "variables:\n- {name: SMTP_PASSWORD, area: smtp, owner: Platform, rotated_by: [DevOps], kept_in: vault, "
    text += "rotate_by: %s}\n"
    inventory.write_text(text % "2026-11-22")
    site.arrange(UNSCHEDULED, f"inventory: {{file: {inventory}}}")
    site.nights(3)
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    site.come_to(midnight)
    yield None
    yield Expected(
        "SMTP_PASSWORD was to be rotated by 2026-11-22, 1 d ago",
        "DevOps can rotate it, Platform owns it",
        due_at=midnight,
    )
    inventory.write_text(text % "2027-11-22")
    yield None


def recorded(site: Provoked) -> Steps:
    """The inventory lies on another host, which took a backup and wrote down what was overdue."""
    site.arrange(UNSCHEDULED, "inventory: {file: elsewhere.yaml}")
    site.nights(3)
    yield None
    site.point(overdue=("SMTP_PASSWORD",))
    yield Expected("SMTP_PASSWORD was to be rotated by 2026-11-21 or before", "is not on this host")
    site.point(site.now + timedelta(minutes=1))
    yield None


SCENARIOS = (
    *(Scenario(play.__name__, play) for play in (space_short, growth, rotation_due)),
    Scenario("rotation_due", recorded),
)
