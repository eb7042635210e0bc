"""The inventory step: stores the configuration inventory, encrypted, and says how it has drifted."""

from __future__ import annotations

import time
from dataclasses import dataclass

from holdfast.backup.artifacts import store_artifact
from holdfast.backup.drafts import InventoryDraft
from holdfast.catalog import Entry
from holdfast.catalog.drafts import read_draft, write_draft
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, PermanentError, SignatureError, UsageError
from holdfast.inventory import Drift, Inventory, check_inventory
from holdfast.manifest.model import InventoryDrift, InventoryReport
from holdfast.progress import Progress, Silent
from holdfast.values.ids import RestorePointId

NAME = "inventory.json.age"
_SILENT = Silent()


@dataclass(frozen=True, slots=True)
class InventoryFacts:
    """What the step stored, and how many variables the drift names; ``unread`` is why names_from told nothing."""

    restore_point: str
    variables: int
    missing: int
    undocumented: int
    overdue: int
    unread: str | None
    bytes: int
    seconds: float

    def as_json(self) -> dict[str, str | int | float | None]:
        """The facts as a flat object."""
        return {name: getattr(self, name) for name in self.__slots__} | {"seconds": round(self.seconds, 3)}


def record_inventory(environment: Environment, id: RestorePointId, *, progress: Progress = _SILENT) -> InventoryFacts:
    """Store the encrypted inventory of a restore point, and a signed draft of its drift report.

    Run again after it finished, it changes nothing; after a kill, it clears the remnant and starts over.
    Raises InventoryError, before anything is stored, where the file has a fault or holds a value. An env
    file that cannot be read is reported, and fails nothing.
    """
    started = time.monotonic()
    entry = environment.catalog.entry(id)
    if entry.is_committed:
        manifest = environment.catalog.manifest(id, environment.verifier())
        if manifest.inventory is None:
            raise UsageError(f"restore point {environment.title}/{id}: it was committed without an inventory")
        size = next(artifact.bytes for artifact in manifest.artifacts if artifact.content == "inventory")
        return _facts(id, manifest.inventory, size, 0.0)
    draft = _finished(environment, entry)
    if draft is None:
        draft = _record(environment, id, progress)
        write_draft(environment.store, environment.keys.draft(id, "inventory"), draft, environment.signer())
    return _facts(id, draft.report, draft.artifact.bytes, time.monotonic() - started)


def demand_inventory(environment: Environment) -> None:
    """Raise InventoryError where the policy names an inventory that cannot be used."""
    if environment.policy.inventory is not None:
        check_inventory(environment.policy, environment.today())


def inventory_draft(environment: Environment, id: RestorePointId) -> InventoryDraft | None:
    """What the step has left; None where the policy names no inventory. Raises PermanentError where it did not run."""
    if environment.policy.inventory is None:
        return None
    key = environment.keys.draft(id, "inventory")
    draft = read_draft(environment.store, key, InventoryDraft, environment.verifier())
    if draft is None:
        raise PermanentError(
            f"restore point {environment.title}/{id}: the step inventory has left no draft",
            hint="Run the step inventory of this restore point first.",
        )
    if draft.id != str(id):
        raise IntegrityError(f"restore point {environment.title}/{id}: the draft of inventory belongs to {draft.id}")
    return draft


def inventory_objects(environment: Environment, id: RestorePointId) -> set[str]:
    """The keys that this step writes, so that other steps leave them alone."""
    return {environment.keys.artifact(id, NAME), environment.keys.draft(id, "inventory")}


def _report(inventory: Inventory, drift: Drift) -> InventoryReport:
    return InventoryReport(
        variables=len(inventory.variables),
        drift=InventoryDrift(
            missing=drift.missing,
            undocumented=drift.undocumented,
            overdue=drift.overdue,
            is_compared=drift.is_compared,
            unread=drift.unread,
        ),
    )


def _finished(environment: Environment, entry: Entry) -> InventoryDraft | None:
    """The draft of an earlier attempt that did finish, when what it names still stands."""
    key = environment.keys.draft(entry.id, "inventory")
    try:
        draft = read_draft(environment.store, key, InventoryDraft, environment.signer().verifier())
    except (IntegrityError, SignatureError):
        return None
    stored = entry.objects.get(NAME)
    if draft is None or draft.id != str(entry.id) or stored is None or stored.size_bytes != draft.artifact.bytes:
        return None
    return draft


def _record(environment: Environment, id: RestorePointId, progress: Progress) -> InventoryDraft:
    inventory, drift = check_inventory(environment.policy, environment.today())
    report = _report(inventory, drift)
    progress.begin("inventory")
    for key in inventory_objects(environment, id):
        environment.store.delete(key)
    artifact = store_artifact(
        environment,
        id,
        NAME,
        (piece for piece in [inventory.encode()]),
        content="inventory",
        format="json",
        recipients=environment.recipients(),
        progress=progress,
    )
    progress.end(told(report))
    return InventoryDraft(id=str(id), artifact=artifact, report=report)


def told(report: InventoryReport) -> str:
    """The report in one line for people."""
    drift = report.drift
    counts = [
        (len(drift.missing), "missing"),
        (len(drift.undocumented), "undocumented"),
        (len(drift.overdue), "overdue"),
    ]
    found = [f"{count} {what}" for count, what in counts if count]
    unread = [f"names_from is unread: {drift.unread}"] if drift.unread else []
    return ", ".join([f"{report.variables} variables", *found, *unread])


def _facts(id: RestorePointId, report: InventoryReport, stored_bytes: int, seconds: float) -> InventoryFacts:
    drift = report.drift
    return InventoryFacts(
        restore_point=str(id),
        variables=report.variables,
        missing=len(drift.missing),
        undocumented=len(drift.undocumented),
        overdue=len(drift.overdue),
        unread=drift.unread,
        bytes=stored_bytes,
        seconds=seconds,
    )
