"""Data that is not in order makes the scripts of the demo's application fail, each kind of fault with its own words."""

from __future__ import annotations

import pytest

from fix_demo_app import AppCommand
from fix_postgres import execute, rows

UNRECONCILABLE = {
    "an order's total": (
        "UPDATE orders SET total_cents = total_cents + 1 WHERE id = 7",
        "FAILED payments: 1 orders do not agree with their payments: CP-100007",
    ),
    "a payment is gone": (
        "DELETE FROM payments WHERE order_id = 9",
        "FAILED payments: 1 orders do not agree with their payments: CP-100009",
    ),
    "a payment without order": (
        "ALTER TABLE payments DROP CONSTRAINT payments_order_id_fkey;"
        " INSERT INTO payments (order_id, status, amount_cents, provider_reference, provider_event, created_at)"
        " VALUES (99999, 'captured', 1, 'pay_stray', '{}', now())",
        "FAILED payments: 1 payments belong to no order",
    ),
    "a certificate is gone": (
        "DELETE FROM certificates WHERE id = 5",
        "FAILED certificates: 1 completed enrollments have no certificate",
    ),
    "a certificate for nothing": (
        "UPDATE enrollments SET status = 'active', completed_at = NULL FROM certificates AS c"
        " WHERE c.enrollment_id = enrollments.id AND c.id = 5",
        "FAILED certificates: 1 certificates without a completed enrollment",
    ),
    "a migration is missing": (
        "DELETE FROM schema_migrations WHERE version LIKE '0004%'",
        "FAILED schema version: 1 migrations that this release needs were not applied: 0004_certificate_qr",
    ),
    "a newer migration": (
        "INSERT INTO schema_migrations VALUES ('0009_later', now())",
        "FAILED schema version: 1 migrations are newer than this release: 0009_later",
    ),
    "a table is gone": ("DROP TABLE payments", 'FAILED payments: relation "payments" does not exist'),
}

BROKEN = {
    "a password is gone": (
        "UPDATE users SET password_hash = '' WHERE id = 20",
        "FAILED login: 1 accounts have no readable password: user0020@example.org",
    ),
    "a password is another": (
        "UPDATE users SET password_hash = (SELECT password_hash FROM users WHERE id = 15) WHERE id = 14",
        "FAILED login: user0014@example.org cannot log in",
    ),
    "no enrollment": (
        "UPDATE enrollments SET user_id = 15 WHERE user_id = 14",
        "FAILED enrollment: user0014@example.org is enrolled in nothing",
    ),
    "progress is gone": (
        "DELETE FROM lesson_progress"
        " WHERE enrollment_id = (SELECT min(id) FROM enrollments WHERE status = 'completed')",
        "FAILED lesson progress: 1 completed enrollments lack finished lessons",
    ),
    "progress of another course": (
        "INSERT INTO lesson_progress (enrollment_id, lesson_id, seconds_watched)"
        " SELECT e.id, l.id, 60 FROM enrollments AS e JOIN lessons AS l ON l.course_id <> e.course_id"
        " ORDER BY e.id, l.id LIMIT 1",
        "FAILED lesson progress: 1 enrollments have progress in lessons of no course of theirs: 1",
    ),
    "a template asks for more": (
        "UPDATE email_templates SET body_html = '{{nme}}' WHERE key = 'welcome' AND locale = 'de'",
        "FAILED email templates: welcome (de) uses {{nme}}, which it does not declare",
    ),
    "a language is gone": (
        "DELETE FROM email_templates WHERE key = 'receipt' AND locale = 'hi'",
        "FAILED email templates: 1 templates lack a language that users have: receipt hi",
    ),
    "a link leads elsewhere": (
        "UPDATE certificates SET qr_url = 'https://elsewhere.example.org/' WHERE id = 3",
        "FAILED certificates: 1 certificates have a code or link that verifies nothing: CP-",
    ),
    "an entry of the log is gone": (
        "DELETE FROM audit_log WHERE entity = 'certificates' AND entity_id = 8",
        "FAILED audit log: 1 certificates were issued without an entry: CP-",
    ),
    "the log was rewritten": (
        "UPDATE audit_log SET at = at - interval '3 years' WHERE id = 900",
        "FAILED audit log: 1 entries are older than the entry before them: 900",
    ),
}


@pytest.mark.parametrize("sabotage", UNRECONCILABLE)
def test_what_cannot_be_reconciled_fails_and_changes_nothing(
    app_command: AppCommand, demo_database: str, sabotage: str
) -> None:
    """It is named, and totals are not computed from data that is wrong."""
    statement, said = UNRECONCILABLE[sabotage]
    execute(demo_database, statement)
    before = rows(demo_database, "SELECT * FROM course_totals ORDER BY 1")
    done = app_command("node src/reconcile.js")
    assert done.returncode == 1
    assert said in done.stderr
    area = said.removeprefix("FAILED ").partition(":")[0]
    assert done.stderr.splitlines()[-1] == f"FAILED 1 of 5 areas are not in order: {area}"
    assert rows(demo_database, "SELECT * FROM course_totals ORDER BY 1") == before


@pytest.mark.parametrize("sabotage", BROKEN)
def test_what_does_not_work_fails_the_check(app_command: AppCommand, demo_database: str, sabotage: str) -> None:
    """The other areas are looked at all the same."""
    statement, said = BROKEN[sabotage]
    execute(demo_database, statement)
    done = app_command("node src/check.js")
    assert done.returncode == 1
    assert said in done.stderr
    area = said.removeprefix("FAILED ").partition(":")[0]
    assert done.stderr.splitlines()[-1] == f"FAILED 1 of 6 areas are not in order: {area}"


@pytest.mark.parametrize("script", ["db:reconcile", "check"])
def test_pnpm_hands_on_the_failure(app_command: AppCommand, demo_database: str, script: str) -> None:
    """Its own exit status says it too, and what the script said comes through."""
    execute(demo_database, "DELETE FROM certificates WHERE id = 5; DELETE FROM audit_log WHERE id = 5")
    done = app_command(f"pnpm {script}")
    assert done.returncode == 1
    assert "FAILED 1 of" in done.stderr
