"""Makes evidence of drills that passed, failed, or had a great many tables, for tests of what shows and stores it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from holdfast.evidence.objects import sha256
from holdfast.manifest.evidence import (
    Closing,
    Confinement,
    Evidence,
    Fact,
    Finding,
    GivenApproval,
    HistoryPoint,
    Planned,
    Step,
    Surroundings,
    TableRows,
    Window,
)
from holdfast.values.ids import RestorePointId

OPENED_AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
TAKEN_AT = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
POINT = RestorePointId.make(TAKEN_AT, "nightly", "night")

TABLES = (
    ("public.users", 5210),
    ("public.courses", 148),
    ("public.enrollments", 18334),
    ("public.lesson_progress", 240871),
    ("public.payments", 11500),
    ("public.orders", 11874),
    ("public.certificates", 3020),
    ("public.email_templates", 24),
    ("public.audit_log", 96112),
    ('public."User|x`"', 1),
)
STEPS = (
    ("recovery_environment", "Make the recovery environment", 1.84, {"server": "18.6", "ready after seconds": 1.62}),
    ("restore_database", "Restore the database", 14.21, {"tables": 10, "jobs": 2, "restore seconds": 11.9}),
    (
        "check_database",
        "Count rows, check sequences, indexes and constraints",
        3.07,
        {"tables": 10, "rows": 387094, "sequences": 9, "indexes": 31},
    ),
    (
        "restore_media",
        "Restore media and check references",
        4.65,
        {"media": True, "media_files": 200, "media_bytes": 41234567, "media_files_failed": 0},
    ),
    (
        "recovery_settings",
        "Temporary recovery settings: what commands get and can reach",
        0.21,
        {"PAYMENTS_ENABLED": "false", "EMAIL_DELIVERY": "disabled", "SESSION_SECRET": "(random, for this drill alone)"},
    ),
    ("pnpm_db_reconcile", "Run pnpm db:reconcile", 2.9, {"command": "pnpm db:reconcile", "exit status": 0}),
    ("pnpm_check", "Run pnpm check", 3.4, {"command": "pnpm check", "exit status": 0}),
    (
        "queries",
        "Verification queries and codes",
        0.62,
        {
            "queries": 3,
            "query login": "login: passed",
            "query totals": "payments: passed",
            "query certificate codes": "certificates: passed",
            "queries_passed": 3,
            "codes_oldest": "3 of 3",
            "codes_newest": "3 of 3",
            "codes_pictures_read": 6,
        },
    ),
    ("rto", "Compare with the recovery time objective", 0.0, {}),
)


def drill_id(origin: str = "drill", *, kind: str = "restore_drill", opened_at: datetime = OPENED_AT) -> RestorePointId:
    """The id of a drill."""
    return RestorePointId.make(opened_at, kind, origin)


def make_evidence(id: RestorePointId | None = None, **changes: object) -> Evidence:
    """The evidence of a drill that passed, with whatever else than usual."""
    id = id or drill_id()
    fields: dict[str, object] = {
        "id": str(id),
        "kind": id.tier,
        "app": "shop",
        "environment": "production",
        "holdfast_version": "0.1.0",
        "restore_point": str(POINT),
        "restore_point_taken_at": TAKEN_AT,
        "manifest_sha256": sha256(b"manifest"),
        "source_version": "18.4",
        "requested_by": "otto.oncall",
        "reason": "Quarterly drill",
        "origin": "manual__2026-11-22T09:00:00+00:00",
        "media": "sample",
        "opened_at": id.opened_at,
        "finished_at": id.opened_at + timedelta(seconds=31),
        "surroundings": Surroundings(
            server_version="18.6",
            is_throwaway=True,
            is_same_major=True,
            ready_seconds=1.62,
            confinement=Confinement(network="isolated", interfaces=("lo",), routes=()),
        ),
        "steps": make_steps(id.opened_at),
        "steps_not_run": (),
        "tables": tuple(TableRows(table=name, expected=rows, found=rows) for name, rows in TABLES),
        "history": make_history(),
        "restore_seconds": 16.05,
        "rto_seconds": 3600.0,
        "approval": "asked" if id.tier == "restore_drill" else "not asked",
        "verdict": "passed",
    }
    return Evidence.model_validate(fields | changes)


def make_steps(
    begun_at: datetime, *, failed: str | None = None, findings: tuple[Finding, ...] = ()
) -> tuple[Step, ...]:
    """The steps of a drill, up to and with the one that failed."""
    made: list[Step] = []
    for name, title, seconds, facts in STEPS:
        is_failed = name == failed
        said = ("> shop@1.0.0 check", "12 checks, 0 problems") if name == "pnpm_check" else ()
        made.append(
            Step(
                name=name,
                title=title,
                started_at=begun_at,
                seconds=seconds,
                outcome="failed" if is_failed else "passed",
                findings=findings if is_failed else (),
                notes=said,
                facts=facts,
            )
        )
        begun_at += timedelta(seconds=seconds)
        if is_failed:
            break
    return tuple(made)


def make_history(points: int = 12) -> tuple[HistoryPoint, ...]:
    """The restore points of a tier up to ``POINT``, growing slowly."""
    return tuple(
        HistoryPoint(
            id=str(POINT if back == 0 else RestorePointId.make(TAKEN_AT - timedelta(days=back), "nightly", str(back))),
            bytes=91_000_000 - back * 610_000 + back * back * 23_000,
            rows=387_094 - back * 2_300,
        )
        for back in reversed(range(points))
    )


def failed_evidence(id: RestorePointId | None = None) -> Evidence:
    """A drill whose counts are off by one row, so that all that follows was not run."""
    findings = (
        Finding(about="backup", text="public.payments: 11499 rows, the manifest promises 11500"),
        Finding(about="backup", text='public."User|x`": the table is missing'),
        Finding(about="drill", text="amcheck: the extension is not available on the recovery server"),
    )
    id = id or drill_id("failed")
    found = {"public.payments": 11499, 'public."User|x`"': None}
    tables = tuple(TableRows(table=name, expected=rows, found=found.get(name, rows)) for name, rows in TABLES)
    return make_evidence(
        id,
        steps=make_steps(id.opened_at, failed="check_database", findings=findings),
        steps_not_run=("restore_media", "recovery_settings", "pnpm_db_reconcile", "pnpm_check", "queries"),
        tables=tables,
        verdict="failed",
        surroundings=Surroundings(
            server_version="18.6", is_throwaway=True, is_same_major=True, ready_seconds=1.62, confinement=None
        ),
    )


def huge_evidence(tables: int = 900) -> Evidence:
    """A drill of a database with hundreds of tables, over its RTO."""
    rows = tuple(
        TableRows(
            table=f"tenant_{number:04}.attendance_records",
            expected=(number * 7919) % 250_000,
            found=(number * 7919) % 250_000 - (1 if number % 300 == 7 else 0),
        )
        for number in range(tables)
    )
    found = tuple(
        Finding(about="backup", text=f"{each.table}: {each.found} rows, the manifest promises {each.expected}")
        for each in rows
        if each.found != each.expected
    )
    steps = tuple(
        step.model_copy(update={"seconds": step.seconds * 400})
        for step in make_steps(OPENED_AT, failed="check_database", findings=found)
    )
    return make_evidence(
        drill_id("huge"),
        tables=rows,
        steps=steps,
        steps_not_run=("restore_media", "queries"),
        verdict="failed",
        restore_seconds=6420.0,
        rto_seconds=3600.0,
        reason="x" * 300,
    )


def make_closing(evidence: Evidence, *approvers: str) -> Closing:
    """The closing of a drill that these people have approved."""
    at = evidence.finished_at + timedelta(minutes=12)
    return Closing(
        id=evidence.id,
        app=evidence.app,
        environment=evidence.environment,
        evidence_sha256=sha256(evidence.encode()),
        closed_at=at + timedelta(minutes=1),
        approval="given" if approvers else "not asked",
        approvals=tuple(
            GivenApproval(
                gate="approve" if number == 0 else "approve_second",
                approver=approver,
                answered_at=at + timedelta(seconds=number),
                sha256=sha256(evidence.id.encode()),
                comment="Counts and certificates looked at" if number == 0 else None,
            )
            for number, approver in enumerate(approvers)
        ),
    )


PLAN_BODY = """## Restore shop/production from `20261122T020000Z-nightly-5a1f0c`

- Restore point: `20261122T020000Z-nightly-5a1f0c`, manifest SHA-256 `6f1c`
- **Everything written after 2026-11-22T02:00:00+00:00 is lost to the users** until it is taken from what is kept.
- Live database: `shop`, number 16403, of the server with system identifier `7340112233445566778`, PostgreSQL 18.
- What is replaced is kept for 7d; until then it can be switched back.

| table | rows now | rows then |
|---|---|---|
| `public."User"` | 5,214 | 5,210 |
| public.or\\|ders | 11,880 | 11,874 |

```
DELETE FROM nothing;
```
"""
PLAN_NOTES = """### As seen when this was planned

- Live now: 1.31 GiB, 12 sessions that would be ended.
- 2 tables have other numbers of rows now than in the restore point:
  - `public.orders`: 11,880 now, 11,874 then
"""
_OF_OPERATION: dict[str, tuple[tuple[str, str, float, dict[str, Fact]], ...]] = {
    "restore": (
        ("plan", "Plan: what would be done, with nothing written", 1.2, {"what": "both", "database": "shop"}),
        (
            "restore_beside",
            "Restore the database beside the live one and count it",
            14.2,
            {"beside": "shop_beside_20261122", "beside_oid": 16999, "tables": 10, "rows": 387094},
        ),
        ("restore_media_beside", "Restore media beside the live directory", 4.6, {"media_files": 200}),
        (
            "switch",
            "Switch: the restored database takes the live name",
            0.9,
            {"live_oid": 16999, "kept_as": f"shop_before_{POINT}", "unavailable_seconds": 0.31, "ended_sessions": 12},
        ),
        ("switch_media", "Switch the media directories", 0.1, {"media_kept": f"/srv/shop/media_before_{POINT}"}),
        ("check_live", "Check what is live now", 2.1, {"queries": 3}),
    ),
    "recover_rows": (
        ("plan", "Plan: what would be done, with nothing written", 6.2, {"inserted": 3}),
        ("apply", "Apply to the live database, in one transaction", 0.4, {"inserted": 3}),
    ),
    "guarded_migration": (
        ("plan", "Plan: what would be done, with nothing written", 0.8, {}),
        ("migrate", "Run the migration and check what it left", 3.1, {"exit status": 0}),
    ),
}


def make_operation(kind: str = "restore", *, failed: str | None = None, **changes: object) -> Evidence:
    """The evidence of an operation that two people have agreed to, up to and with the step that failed."""
    id = drill_id(kind, kind=kind)
    begun_at, steps = id.opened_at + timedelta(minutes=20), list[Step]()
    names = _OF_OPERATION.get(kind, _OF_OPERATION["restore"])
    for name, title, seconds, facts in names:
        findings = (Finding(about="operation", text=f"{title}: refused"),) if name == failed else ()
        outcome = "failed" if name == failed else "passed"
        steps.append(
            Step(
                name=name,
                title=title,
                started_at=begun_at,
                seconds=seconds,
                outcome=outcome,  # type: ignore[arg-type]
                findings=findings,
                facts={} if findings else facts,
            )
        )
        begun_at += timedelta(seconds=seconds)
        if findings:
            break
    with_counts = kind == "restore" and any(step.name == "restore_beside" for step in steps)
    fields: dict[str, object] = {
        "steps": tuple(steps),
        "steps_not_run": tuple(name for name, *_ in names[len(steps) :]),
        "tables": make_evidence(id).tables if with_counts else (),
        "surroundings": None,
        "media": "all" if kind == "restore" else "none",
        "finished_at": begun_at,
        "restore_seconds": None if failed else round(sum(step.seconds for step in steps), 3),
        "rto_seconds": None,
        "reason": "Attendance of Friday was overwritten",
        "approval": "asked",
        "plan": Planned(sha256=sha256(PLAN_BODY.encode()), body=PLAN_BODY, notes=PLAN_NOTES),
        "window": Window(
            begins_at=id.opened_at + timedelta(minutes=10),
            ends_at=id.opened_at + timedelta(hours=2),
            ticket="CHG-4711",
        ),
        "approvals": tuple(
            GivenApproval(
                gate=gate,
                approver=approver,
                answered_at=id.opened_at + timedelta(minutes=15, seconds=number),
                sha256=sha256(b"shown"),
                comment="Plan and rehearsal read" if number == 0 else None,
            )
            for number, (gate, approver) in enumerate((("approve", "dora.dba"), ("approve_second", "tina.lead")))
        ),
        "verdict": "failed" if failed else "passed",
    }
    return make_evidence(id, **(fields | changes))
