"""The evidence commands as users and scripts call them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from evidence_factory import drill_id, failed_evidence, make_closing, make_evidence
from fix_environment import MakeSite, Site
from holdfast.evidence import write_closing, write_evidence

ID = drill_id()


@pytest.fixture
def site(make_site: MakeSite) -> Site:
    """A site whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def closed(site: Site) -> Site:
    """One drill that failed, one that passed and was approved."""
    environment = site.environment()
    write_evidence(environment, failed_evidence())
    evidence = make_evidence(ID)
    write_evidence(environment, evidence)
    write_closing(environment, make_closing(evidence, "dora.dba"), evidence)
    return site


def arguments(site: Site, command: str, *more: str) -> tuple[str, ...]:
    return ("evidence", command, str(site.policy_file), "production", *more)


def folder(site: Site, id: str) -> Path:
    return site.store_folder / "shop/production/evidence" / id


def test_nothing_yet(site: Site) -> None:
    """An environment without drills: said on stderr, no failure."""
    assert site.json(*arguments(site, "list")) == {"evidence": []}
    assert site.json(*arguments(site, "verify")) == {"ok": True, "evidence": []}
    assert b"no evidence yet" in site.run(*arguments(site, "list")).stderr
    assert b"not found" in site.run(*arguments(site, "show", str(ID)), expect=1).stderr
    assert b"not found" in site.run(*arguments(site, "verify", str(ID)), expect=1).stderr
    site.run(*arguments(site, "show", "nonsense"), expect=2)


def test_list_tells_verdict_and_approval(closed: Site) -> None:
    """A line for each, and the same as JSON."""
    found = {entry["id"]: entry for entry in closed.json(*arguments(closed, "list"))["evidence"]}
    failed = failed_evidence().id
    assert (found[str(ID)]["verdict"], found[str(ID)]["approvers"]) == ("passed", ["dora.dba"])
    assert (found[failed]["verdict"], found[failed]["approval"]) == ("failed", "not reached")
    lines = closed.run(*arguments(closed, "list")).stdout.decode().splitlines()
    assert any(str(ID) in line and "approved by dora.dba" in line and "16 s" in line for line in lines)
    assert any(failed in line and "not approved" in line for line in lines)


def test_show_tells_the_story(closed: Site) -> None:
    """Text for people, the documents as JSON, the stored report as HTML."""
    shown = closed.run(*arguments(closed, "show", failed_evidence().id)).stdout.decode()
    for said in ("FAILED", "✗ Count rows", "pnpm_check: not run", "rows of public.payments: 11,499, expected 11,500"):
        assert said in shown
    assert "finding (drill): amcheck" in shown
    document = closed.json(*arguments(closed, "show", str(ID)))
    assert document["evidence"]["id"] == str(ID)
    assert document["closing"]["approvals"][0]["approver"] == "dora.dba"
    report = closed.run(*arguments(closed, "show", str(ID), "--html", "-")).stdout
    assert report == (folder(closed, str(ID)) / "report-closed.html").read_bytes()
    closed.run(*arguments(closed, "show", failed_evidence().id, "--html", "r.html"))
    stored = folder(closed, failed_evidence().id) / "report.html"
    assert (closed.folder / "r.html").read_bytes() == stored.read_bytes()
    closed.run(*arguments(closed, "show", str(ID), "--html", "no/such/folder"), expect=2)
    closed.run(*arguments(closed, "show", str(ID), "--html", "-", "--json"), expect=2)


def test_verify_finds_what_was_touched(closed: Site) -> None:
    """All are genuine, until one object is not: then the exit status says so, and the object is named."""
    assert closed.json(*arguments(closed, "verify"))["ok"] is True
    assert closed.run(*arguments(closed, "verify")).stdout.count(b"genuine") == 2
    report = folder(closed, str(ID)) / "report.html"
    report.write_bytes(report.read_bytes().replace(b"0 findings", b"1 findings") + b" ")
    found = closed.json(*arguments(closed, "verify"), expect=1)
    assert [bool(each["faults"]) for each in found["evidence"] if each["id"] == str(ID)] == [True]
    said = closed.run(*arguments(closed, "verify", str(ID)), expect=1)
    assert b"report.html" in said.stderr
    assert closed.json(*arguments(closed, "verify", failed_evidence().id))["ok"] is True


def test_nothing_steers_the_terminal(site: Site) -> None:
    """Escape sequences, line breaks and reversed text come out spelled."""
    nasty = "\x1b[2J\r\u202eevil\nline"
    evidence = make_evidence(ID, requested_by=nasty, reason=nasty)
    write_evidence(site.environment(), evidence)
    write_closing(site.environment(), make_closing(evidence, f"{nasty}2"), evidence)
    for command in (arguments(site, "list"), arguments(site, "show", str(ID))):
        text = site.run(*command).stdout.decode()
        assert "\\x1b[2J\\r\\u202eevil\\nline" in text
        assert all(sign.isprintable() or sign == "\n" for sign in text)


def test_openssl_agrees(closed: Site) -> None:
    """The commands that the report names check every signature without any code of ours."""
    openssl = shutil.which("openssl")
    assert openssl
    where = folder(closed, str(ID))
    verify = [openssl, "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", str(closed.keys / "signing.pub")]
    for name in ("evidence.json", "report.html", "closing.json", "report-closed.html"):
        signature = f"{name.rpartition('.')[0]}.sig"
        done = subprocess.run([*verify, "-sigfile", signature, "-in", name], cwd=where, capture_output=True, check=True)
        assert b"Signature Verified Successfully" in done.stdout
        assert f"-sigfile {signature} -in {name}" in "".join(path.read_text() for path in where.glob("*.html"))
