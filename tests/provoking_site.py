"""A site whose watch is watched: faults are put into it for real, and a listener hears what people would be told."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fix_environment import Site
from fix_webhook import Webhook
from holdfast.catalog import write_signed
from holdfast.crypto.age import encrypt
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.manifest.model import InventoryDrift, InventoryReport
from holdfast.values.ids import RestorePointId
from holdfast.watch import watch_all, watch_round
from holdfast.watch.finding import Finding
from point_factory import CONTENT, make_manifest

MORNING = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
LAST_NIGHT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
NIGHT = timedelta(days=1)
INTERVAL = timedelta(minutes=15)
"""How often the watch looks."""
UNSCHEDULED = "nightly: {keep: 35d}"
"""Tiers of which nothing is ever missing."""
_NO_DRIFT = InventoryDrift(missing=(), undocumented=(), overdue=(), is_compared=True, unread=None)
ALERTS = "conn_id: shop_alerts, page: {tag: ops}, notify: {tag: dev}"


@dataclass(frozen=True)
class Expected:
    """What the one message says: ``which`` and ``advice`` are words of it, ``since`` None where nobody knows.

    ``due_at``: from when on it has to be found, None for the moment in which the fault was planted. ``besides``: kinds
    that the same cause shows as well, in the same message. ``other_way``: it goes by the other severity's route.
    ``resolved``: how many messages say that it is over.
    """

    which: str
    advice: str
    since: datetime | None = None
    due_at: datetime | None = None
    besides: frozenset[str] = frozenset()
    other_way: bool = False
    resolved: int = 1


type Steps = Iterator[Expected | None]
"""What a scenario does: prepares a healthy site, yields; plants its fault, yields what is expected; mends, yields."""


@dataclass
class Provoked:
    """The site, the listener, and the time, which goes on only as a scenario says.

    ``policy_files``: what is watched, the site's own environment where there are none. ``each_time`` is done before
    each round, as by what runs all the time. ``make_database`` starts a real PostgreSQL.
    """

    site: Site
    hook: Webhook
    make_database: Callable[[str], str]
    now: datetime = MORNING
    policy_files: list[Path] = field(default_factory=list)
    each_time: Callable[[], None] = lambda: None
    seconds: float = 0.0

    def environment(self) -> Environment:
        """Opened anew, as each round does."""
        return self.site.environment()

    def arrange(self, tiers: str, *sections: str, database: str = "", alerts: str = "") -> None:
        """Write the policy: its tiers, more sections, and what else stands in ``database`` and ``alerts``."""
        head = self.site.policy_file.read_text().partition("    tiers:\n")[0]
        head = head.replace("conn_id: shop_db}", f"conn_id: shop_db{database}}}")
        lines = [*sections, f"alerts: {{{ALERTS}{alerts}}}", f"tiers: {{{tiers}}}"]
        self.site.policy_file.write_text(head + "".join(f"    {line}\n" for line in lines))

    def round(self, minutes: float = 15) -> tuple[Finding, ...]:
        """One round of the watch, so many minutes after the last one; what it found."""
        self.now += timedelta(minutes=minutes)
        self.each_time()
        began = time.monotonic()
        environment = self.environment()
        if self.policy_files:
            found = watch_all(self.policy_files, environment.connections, self.now).findings
        else:
            found = watch_round(environment, self.now).findings
        self.seconds = time.monotonic() - began
        return found

    def come_to(self, due_at: datetime) -> None:
        """Let the time go on, so that two more rounds come before the moment and the next one right after it."""
        self.now = due_at - timedelta(minutes=35)

    def nights(self, count: int, **facts: int) -> list[RestorePointId]:
        """Restore points of as many nights up to the last one, oldest first."""
        return [self.point(LAST_NIGHT - (count - 1 - number) * NIGHT, **facts) for number in range(count)]

    def point(
        self,
        opened_at: datetime | None = None,
        tier: str = "nightly",
        *,
        seconds: int = 60,
        stored_bytes: int = 20_000,
        is_decrypted: bool = True,
        overdue: tuple[str, ...] = (),
        artifact: bytes | None = None,
        signer: Signer | None = None,
    ) -> RestorePointId:
        """Commit a restore point by the real writers, now or when it is said; ``artifact`` instead of our own age.

        The artifact is made as long as told, by a hole in its file.
        """
        environment, opened_at = self.environment(), opened_at or self.now
        catalog, id = environment.catalog, RestorePointId.make(opened_at, tier, f"{tier} {opened_at}")
        content = artifact or b"".join(encrypt([CONTENT], environment.recipients()))
        manifest = make_manifest(id)
        ended_at = opened_at + timedelta(seconds=seconds)
        update = {
            "artifacts": (manifest.artifacts[0].model_copy(update={"bytes": stored_bytes}),),
            "database": manifest.database.model_copy(update={"finished_at": ended_at}),
            "inventory": InventoryReport(variables=9, drift=_NO_DRIFT.model_copy(update={"overdue": overdue})),
            "verification": manifest.verification.model_copy(update={"decrypted": is_decrypted}),
        }
        key = catalog.keys.artifact(id, "database.dump.age")
        catalog.store.put(key, [content])
        os.truncate(self.site.store_folder / key, stored_bytes)
        document = manifest.model_copy(update=update).encode()
        write_signed(
            catalog.store,
            catalog.keys.manifest(id),
            catalog.keys.signature(id),
            document,
            signer or environment.signer(),
        )
        self.received(catalog.keys.manifest(id), ended_at + timedelta(seconds=10))
        return id

    def received(self, key: str, at: datetime) -> None:
        """Make the store say that it received an object at that moment."""
        os.utime(self.site.store_folder / key, (at.timestamp(), at.timestamp()))

    def folder(self, id: RestorePointId) -> Path:
        """Where a restore point lies."""
        return self.site.store_folder / "shop/production/restore-points" / str(id)


@dataclass(frozen=True)
class Scenario:
    """One way in which a kind of finding comes about."""

    kind: str
    play: Callable[[Provoked], Steps]

    @property
    def name(self) -> str:
        """For pytest: the kind, and the way where it is another word."""
        return self.kind if self.play.__name__ == self.kind else f"{self.kind}-{self.play.__name__}"
