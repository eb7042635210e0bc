"""Approvals as records in a store: what is written, what is believed, and what public tools say of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fix_environment import PROJECT, MakeSite, Site
from holdfast.approval import demand_approval, digest, read_approvals, record_answer, request_approval
from holdfast.approval.records import Answer, Decision, Request
from holdfast.catalog import write_signed
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment, open_environment
from holdfast.errors import ApprovalError, IntegrityError, SignatureError, UsageError
from holdfast.manifest.evidence import GivenApproval
from holdfast.storage.local import LocalStore
from holdfast.storage.protocol import Store
from holdfast.values.airflow_conn import EnvironmentConnections
from holdfast.values.ids import RestorePointId

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
SOON = NOW + timedelta(minutes=10)
SUBJECT = RestorePointId.parse("20261122T090000Z-restore_drill-4f9c2a")
OTHER = RestorePointId.parse("20261122T090000Z-restore_drill-000000")
PLAN = "# Drill\n\nall **12** checks passed, 3 € each\n"


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def environment(site: Site) -> Environment:
    return at(site.environment(), NOW)


def at(environment: Environment, now: datetime) -> Environment:
    return dataclasses.replace(environment, clock=lambda: now)


def ask(environment: Environment, gate: str = "approval", body: str = PLAN, **more: str | None) -> Request:
    return request_approval(
        environment,
        SUBJECT,
        gate=gate,
        position=2 if gate == "second" else 1,
        body=body,
        requested_by=more.get("requested_by", "ada"),
        origin="shop-production.restore_drill/manual__2026-11-22",
    )


def answer(
    environment: Environment,
    approver: str = "grace",
    *,
    gate: str = "approval",
    decision: Decision = "approved",
    reason: str | None = None,
    body: str = PLAN,
    number: int | None = None,
) -> Answer:
    return record_answer(
        environment,
        SUBJECT,
        gate=gate,
        approver=approver,
        decision=decision,
        reason=reason,
        answered_at=SOON,
        shown_sha256=digest(body),
        number=number,
    )


def demand(environment: Environment, *gates: str, body: str = PLAN, now: datetime = SOON) -> tuple[GivenApproval, ...]:
    return demand_approval(environment, SUBJECT, body=body, gates=gates or ("approval",), now=now)


def approvals_folder(site: Site) -> Path:
    return site.store_folder / "shop/production/approvals" / str(SUBJECT)


def test_approval_of_the_same_plan_is_found(site: Site, environment: Environment) -> None:
    """It says who agreed to what and when, and so does the store, in four objects."""
    asked = ask(environment)
    assert (asked.number, asked.expires_at, asked.sha256) == (
        1,
        NOW + timedelta(days=1),
        hashlib.sha256(PLAN.encode()).hexdigest(),
    )
    given = answer(environment, " grace ", reason=" looks well ")
    assert demand(environment) == (
        GivenApproval(gate="approval", approver="grace", answered_at=SOON, sha256=asked.sha256, comment="looks well"),
    )
    assert given.good_until == SOON + timedelta(days=1)
    assert sorted(path.name for path in approvals_folder(site).iterdir()) == [
        "approval.0001.answer.json",
        "approval.0001.answer.sig",
        "approval.0001.request.json",
        "approval.0001.request.sig",
    ]


def test_records_can_be_checked_without_holdfast(site: Site, environment: Environment) -> None:
    """By the commands of the page on approvals, which are openssl, jq and sha256sum alone."""
    ask(environment)
    answer(environment)
    (example,) = re.findall(r"```bash\n(.*?)```", (PROJECT / "docs/approval.md").read_text(), re.DOTALL)
    example = re.sub("^cd .*", f"cd '{approvals_folder(site)}'", example)
    example = example.replace("$HOME/holdfast-keys", str(site.keys)).replace("approve.0001", "approval.0001")
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", example], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["Signature Verified Successfully"] * 2
    sums = [line.split()[0] for line in lines[2:7]]
    assert sums[0] == sums[1] == sums[2] == hashlib.sha256(PLAN.encode()).hexdigest()
    request = (approvals_folder(site) / "approval.0001.request.json").read_bytes()
    assert sums[3] == sums[4] == hashlib.sha256(request).hexdigest()
    assert json.loads("".join(lines[7:]))["approver"] == "grace"


def test_nothing_asked_and_nothing_answered_is_no_approval(environment: Environment) -> None:
    """As when somebody marks the gate's task as success, before or after it has asked."""
    with pytest.raises(ApprovalError, match="nobody was asked") as refused:
        demand(environment)
    assert "marking" in str(refused.value.hint)
    with pytest.raises(ApprovalError, match="nobody was asked"):
        answer(environment)
    ask(environment)
    with pytest.raises(ApprovalError, match="nobody has answered what was asked at 2026-11-22 09:00:00 UTC"):
        demand(environment)


def test_old_answer_never_counts_for_a_newer_request(environment: Environment) -> None:
    """Though the same person approved the same text; nor does an answer that was on its way meanwhile."""
    ask(environment)
    answer(environment)
    assert ask(environment).number == 2
    with pytest.raises(ApprovalError, match="nobody has answered"):
        demand(environment)
    with pytest.raises(ApprovalError, match="asked again since"):
        answer(environment, number=1)
    answer(environment, number=2)
    assert demand(environment)
    assert [(asked.request.number, asked.answer is not None) for asked in read_approvals(environment, SUBJECT)] == [
        (1, True),
        (2, True),
    ]


def test_altered_plan_is_refused(environment: Environment) -> None:
    """Before the answer is taken down, and after it."""
    ask(environment)
    with pytest.raises(ApprovalError, match="not the one that grace was shown"):
        answer(environment, body=PLAN + " ")
    answer(environment)
    with pytest.raises(ApprovalError, match="the plan has changed"):
        demand(environment, body=PLAN.replace("12", "11"))


def test_approval_lasts_for_its_span(environment: Environment) -> None:
    """As long after the answer as the policy gave to answer."""
    ask(environment)
    answer(environment)
    assert demand(environment, now=SOON + timedelta(days=1))
    with pytest.raises(ApprovalError, match="counted until"):
        demand(environment, now=SOON + timedelta(days=1, seconds=1))


def test_approval_for_one_run_is_none_for_another(environment: Environment) -> None:
    """Whoever acts may say in which run; the request says which one asked."""
    asked = ask(environment)
    answer(environment)
    for origin, passes in ((asked.origin, True), ("shop-production.restore_drill/manual__other", False)):
        with nullcontext() if passes else pytest.raises(ApprovalError, match=r"not for shop-.*__other"):
            demand_approval(environment, SUBJECT, body=PLAN, gates=["approval"], now=SOON, origin=origin)


def test_expired_request_takes_no_answer(site: Site) -> None:
    """Nothing is recorded of one that came too late."""
    site.edit_policy("    tiers:\n", "    approval: {within: 5m}\n    tiers:\n")
    environment = at(site.environment(), NOW)
    ask(environment)
    with pytest.raises(ApprovalError, match="expired at 2026-11-22 09:05:00 UTC"):
        answer(environment)
    with pytest.raises(ApprovalError, match="nobody has answered"):
        demand(environment)


def test_rejection_is_recorded_and_stops(environment: Environment) -> None:
    """Who and why stand in the error; only a new request can lead on."""
    ask(environment)
    with pytest.raises(ApprovalError, match="without a reason"):
        answer(environment, decision="rejected", reason=" \n")
    answer(environment, decision="rejected", reason="two codes are missing")
    with pytest.raises(ApprovalError, match="grace rejected it: two codes are missing"):
        demand(environment)
    with pytest.raises(ApprovalError, match="grace rejected it at"):
        answer(environment, "linus")
    ask(environment)
    answer(environment, "linus")
    assert demand(environment)[0].approver == "linus"


def test_same_answer_once_more_is_no_error(environment: Environment) -> None:
    """A killed task may have taken it down; another person's, or another decision, comes too late."""
    ask(environment)
    assert answer(environment) == answer(environment)
    with pytest.raises(ApprovalError, match="already"):
        answer(environment, "linus")
    with pytest.raises(ApprovalError, match="already"):
        answer(environment, decision="rejected", reason="changed my mind")


def test_two_gates_take_two_people(site: Site) -> None:
    """Neither the requester nor the other gate's approver; the policy's number holds whatever the caller looks at."""
    site.edit_policy("    tiers:\n", "    approval: {needed: 2}\n    tiers:\n")
    environment = at(site.environment(), NOW)
    ask(environment, "first")
    ask(environment, "second")
    answer(environment, gate="first")
    with pytest.raises(ApprovalError, match="at gate first already"):
        answer(environment, "Grace", gate="second")
    with pytest.raises(ApprovalError, match="ada asked for it"):
        answer(environment, "ada", gate="second")
    with pytest.raises(ApprovalError, match="nobody has answered"):
        demand(environment, "first", "second")
    for gates in (("first",), ("first", "first")):
        with pytest.raises(ApprovalError, match=r"needed is 2"):
            demand(environment, *gates)
    answer(environment, "linus", gate="second")
    assert [given.approver for given in demand(environment, "first", "second")] == ["grace", "linus"]


def beside(site: Site, environment: Environment) -> Environment:
    """The same with a copy of the store, as it is now."""
    copy = site.folder / "copy"
    shutil.copytree(site.store_folder, copy)
    return dataclasses.replace(environment, store=LocalStore(copy))


def test_answers_of_one_person_that_raced_each_other_do_not_count(site: Site, environment: Environment) -> None:
    """Taken down at both gates at the same moment, neither saw the other: what acts sees both."""
    ask(environment, "first")
    ask(environment, "second")
    answer(beside(site, environment), gate="second")
    answer(environment, gate="first")
    shutil.copytree(site.folder / "copy", site.store_folder, dirs_exist_ok=True)
    with pytest.raises(ApprovalError, match="already"):
        demand(environment, "first", "second")


def test_removed_approver_counts_no_more(site: Site) -> None:
    """The policy is asked as it stands when the approval is to be acted on."""
    site.edit_policy("    tiers:\n", "    approval: {approvers: [grace, linus]}\n    tiers:\n")
    environment = at(site.environment(), NOW)
    ask(environment)
    with pytest.raises(ApprovalError, match="mallory is not among"):
        answer(environment, "mallory")
    answer(environment)
    assert demand(environment)
    site.edit_policy("[grace, linus]", "[linus]")
    with pytest.raises(ApprovalError, match="grace is not among"):
        demand(at(site.environment(), NOW))


def test_answer_signed_by_somebody_else_does_not_count(site: Site, environment: Environment) -> None:
    """Who can write to the store alone cannot approve."""
    ask(environment)
    forged = answer(beside(site, environment))
    key, signature_key = (environment.keys.approval(SUBJECT, f"approval.0001.answer.{end}") for end in ("json", "sig"))
    write_signed(environment.store, key, signature_key, forged.encode(), Signer.generate())
    with pytest.raises(SignatureError, match=r"approval\.0001\.answer\.json"):
        demand(environment)


def edited(folder: Path) -> None:
    path = folder / "approval.0001.answer.json"
    path.chmod(0o600)
    path.write_text(path.read_text().replace("rejected", "approved"))


def unsigned(folder: Path) -> None:
    (folder / "approval.0001.answer.sig").unlink()


def without_request(folder: Path) -> None:
    (folder / "approval.0001.request.json").unlink()


def without_anything_but_a_later_mark(folder: Path) -> None:
    (folder / "approval.0002.request.sig").write_bytes(b"x" * 64)


@pytest.mark.parametrize(
    ("tamper", "error"),
    [
        (edited, SignatureError),
        (unsigned, SignatureError),
        (without_request, IntegrityError),
        (without_anything_but_a_later_mark, IntegrityError),
    ],
)
def test_tampered_records_do_not_count(
    site: Site, environment: Environment, tamper: Callable[[Path], None], error: type[Exception]
) -> None:
    """Each error names the object."""
    ask(environment)
    answer(environment, decision="rejected", reason="no")
    tamper(approvals_folder(site))
    with pytest.raises(error, match=r"approval\.000[12]\."):
        demand(environment)


@pytest.mark.parametrize("copied_to", ["subject", "gate", "number", "environment"])
def test_approval_copied_elsewhere_does_not_count(site: Site, environment: Environment, copied_to: str) -> None:
    """A genuine approval of another subject, gate, request or environment says nothing of this."""
    ask(environment)
    answer(environment)
    source = approvals_folder(site)
    subject, gate, number, target = SUBJECT, "approval", 1, environment
    if copied_to == "subject":
        subject = OTHER
    elif copied_to == "gate":
        gate = "second"
    elif copied_to == "number":
        number = 2
    else:
        site.policy_file.write_text(site.policy_file.read_text().replace("production:", "staging:"))
        target = open_environment(site.policy_file, "staging", EnvironmentConnections(site.variables))
    folder = site.store_folder / target.keys.approvals_of(subject)
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.iterdir()):
        rest = path.name.removeprefix("approval.0001.")
        (folder / f"{gate}.{number:04}.{rest}").write_bytes(path.read_bytes())
    with pytest.raises(IntegrityError, match="it is number 1 of gate approval of shop/production"):
        demand_approval(target, subject, body=PLAN, gates=[gate], now=SOON)


def test_request_whose_task_was_killed_leaves_no_gap(site: Site, environment: Environment) -> None:
    """A signature without its record is in nobody's way: the gate asks again under the same number."""
    folder = approvals_folder(site)
    folder.mkdir(parents=True)
    (folder / "approval.0001.request.sig").write_bytes(b"x" * 64)
    assert read_approvals(environment, SUBJECT) == ()
    assert ask(environment).number == 1
    answer(environment)
    assert demand(environment)


def test_what_cannot_be_asked_is_refused(environment: Environment) -> None:
    """No plan, a name that cannot stand in a key, a third place."""
    with pytest.raises(UsageError, match="no plan to show"):
        ask(environment, body=" \n")
    with pytest.raises(UsageError, match=r"gate '\.\./up'"):
        ask(environment, gate="../up")
    with pytest.raises(UsageError, match="its position is 3"):
        request_approval(environment, SUBJECT, gate="third", position=3, body=PLAN, requested_by=None, origin="x")


def test_approval_in_a_bucket(environment: Environment, s3_store: Store) -> None:
    """The same in an S3 store, and only there."""
    there = dataclasses.replace(environment, store=s3_store)
    ask(there)
    ask(there)
    answer(there)
    assert demand(there)
    with pytest.raises(ApprovalError, match="nobody was asked"):
        demand(environment)


@pytest.mark.parametrize(("until", "expires"), [(timedelta(hours=2), timedelta(hours=2)), (timedelta(days=9), None)])
def test_request_expires_with_the_change_window(
    environment: Environment, until: timedelta, expires: timedelta | None
) -> None:
    """Or as the policy says, whichever comes first."""
    request = request_approval(
        environment,
        SUBJECT,
        gate="approval",
        position=1,
        body=PLAN,
        requested_by="ada",
        origin="shop-production.restore/manual__1",
        until=NOW + until,
    )
    assert request.expires_at == NOW + (expires or timedelta(hours=24))


def test_nobody_is_asked_once_the_change_window_has_closed(environment: Environment) -> None:
    """The error says since when; no request is left."""
    with pytest.raises(ApprovalError, match="the time to answer is over since 2026-11-22 09:00:00"):
        request_approval(
            environment,
            SUBJECT,
            gate="approval",
            position=1,
            body=PLAN,
            requested_by="ada",
            origin="shop-production.restore/manual__1",
            until=NOW,
        )
    assert read_approvals(environment, SUBJECT) == ()
