"""The guard on a real S3 server: each fault is planted and seen, then mended, and mended means that it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fix_bucket import RawBucket
from fix_environment import MakeSite, Site
from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.guard import Check, apply_store, check_store
from holdfast_embedded.seaweedfs import SeaweedFS

GuardedSite = Callable[..., Site]


@pytest.fixture
def guarded_site(make_site: MakeSite, seaweed: SeaweedFS) -> GuardedSite:
    """Makes a site whose store is a bucket; ``lock`` and ``media`` are YAML for the policy."""

    def make(bucket: RawBucket, *, prefix: str = "/holdfast", lock: str = "", media: str = "") -> Site:
        site = make_site(
            "postgresql://nobody@db.invalid/none",
            store_url=f"s3://{bucket.name}{prefix}",
            store_conn=seaweed.connection_json(),
        )
        if lock:
            site.edit_policy("conn_id: shop_store}", f"conn_id: shop_store, object_lock: {lock}}}")
        if media:
            site.edit_policy("    keys:\n", f"    media: {media}\n    keys:\n")
        return site

    return make


@pytest.fixture
def environment(guarded_site: GuardedSite, raw_bucket: RawBucket) -> Environment:
    """On a fresh bucket."""
    return guarded_site(raw_bucket).environment()


def _named(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def _seen(environment: Environment, name: str) -> Check:
    return _named(check_store(environment))[name]


def _mended(environment: Environment, name: str) -> Check:
    """What apply says, once a fresh look has said the same."""
    told = _named(apply_store(environment))[name]
    assert told.verdict == _seen(environment, name).verdict
    return told


def test_a_fresh_bucket_is_mended_whole(environment: Environment, raw_bucket: RawBucket) -> None:
    """What fails at first is well afterwards and says so; what this server lacks is a warning; no stranger got in."""
    before = _named(check_store(environment))
    failed = {name for name, check in before.items() if check.verdict == "failed"}
    assert failed == {"versioning", "encryption", "lifecycle"}
    assert not any(check.is_blocking for check in before.values())
    after = _named(apply_store(environment))
    assert {name for name, check in after.items() if check.text.startswith("mended: ")} == failed
    assert {name for name, check in after.items() if check.verdict != "ok"} == {"public access"}
    assert after["public access"].verdict == "warning"
    assert "does not offer" in after["public access"].text
    assert raw_bucket.get_bucket_versioning()["Status"] == "Enabled"


def test_check_only_reads(guarded_site: GuardedSite, raw_bucket: RawBucket) -> None:
    """Settings and content are the same before and after, to the last version."""
    site = guarded_site(raw_bucket, lock="{mode: governance, days: 1}")
    site.environment().store.put("shop/production/x", [b"1"])
    raw_bucket.put_bucket_acl(ACL="public-read")
    before = raw_bucket.state()
    check_store(site.environment())
    site.run("store", "check", str(site.policy_file), "production", expect=1)
    assert raw_bucket.state() == before


def test_apply_changes_nothing_where_all_is_well(environment: Environment, raw_bucket: RawBucket) -> None:
    """The second time it finds nothing to do, and stores no object ever."""
    apply_store(environment)
    before = raw_bucket.state()
    assert not [check for check in apply_store(environment) if "mended" in check.text]
    assert raw_bucket.state() == before


def test_suspended_versioning(environment: Environment, raw_bucket: RawBucket) -> None:
    """Seen, and turned on again."""
    apply_store(environment)
    raw_bucket.put_bucket_versioning(VersioningConfiguration={"Status": "Suspended"})
    assert "suspended" in _seen(environment, "versioning").text
    assert _mended(environment, "versioning").verdict == "ok"


def test_encryption_that_others_chose_stays(environment: Environment, raw_bucket: RawBucket) -> None:
    """Only a bucket that encrypts nothing is changed."""
    assert _seen(environment, "encryption").verdict == "failed"
    apply_store(environment)
    rule = raw_bucket.get_bucket_encryption()["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"


def test_lifecycle_rules_that_delete_backups(environment: Environment, raw_bucket: RawBucket) -> None:
    """One for the store alone is switched off; another's is kept; one that is wider is named for people."""
    theirs: list[dict[str, Any]] = [
        {"ID": "store", "Filter": {"Prefix": "holdfast/shop/production/"}, "Expiration": {"Days": 1}},
        {"ID": "logs", "Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 1}},
    ]
    rules = [{"Status": "Enabled", **rule} for rule in theirs]
    raw_bucket.put_bucket_lifecycle_configuration(LifecycleConfiguration={"Rules": rules})
    assert "rule store deletes current objects after 1 days" in _seen(environment, "lifecycle").text
    assert _mended(environment, "lifecycle").verdict == "ok"
    found = {rule["ID"]: rule for rule in raw_bucket.get_bucket_lifecycle_configuration()["Rules"]}
    assert (found["store"]["Status"], found["logs"]["Status"]) == ("Disabled", "Enabled")
    (ours,) = (rule for name, rule in found.items() if name not in ("store", "logs"))
    assert ours["Filter"]["Prefix"] == "holdfast/shop/production/"
    assert "Days" not in ours["Expiration"]

    wide = {"ID": "wide", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 9}}
    raw_bucket.put_bucket_lifecycle_configuration(LifecycleConfiguration={"Rules": [wide]})
    told = _mended(environment, "lifecycle")
    assert (told.verdict, told.is_blocking) == ("failed", False)
    assert "rule wide" in told.text
    assert "by hand" in str(told.hint)


def test_noncurrent_versions_outlive_their_lock(guarded_site: GuardedSite, lock_bucket: RawBucket) -> None:
    """A rule that drops them earlier is a fault, and the rule that is added keeps them as long."""
    site = guarded_site(lock_bucket, lock="{mode: governance, days: 60}")
    rule = {
        "ID": "short",
        "Status": "Enabled",
        "Filter": {"Prefix": "holdfast/shop/production/"},
        "NoncurrentVersionExpiration": {"NoncurrentDays": 59},
    }
    lock_bucket.put_bucket_lifecycle_configuration(LifecycleConfiguration={"Rules": [rule]})
    assert "object_lock asks for 60" in _seen(site.environment(), "lifecycle").text
    assert _mended(site.environment(), "lifecycle").verdict == "ok"
    enabled = [
        rule for rule in lock_bucket.get_bucket_lifecycle_configuration()["Rules"] if rule["Status"] == "Enabled"
    ]
    assert [rule["NoncurrentVersionExpiration"]["NoncurrentDays"] for rule in enabled] == [60]


@pytest.mark.parametrize(
    ("given", "asked", "after"),
    [
        (None, "{mode: governance, days: 3}", ("GOVERNANCE", 3)),
        (("GOVERNANCE", 3), "{mode: compliance, days: 3}", ("COMPLIANCE", 3)),
        (("COMPLIANCE", 2), "{mode: governance, days: 3}", ("COMPLIANCE", 3)),
        (("GOVERNANCE", 9), "{mode: compliance, days: 3}", ("COMPLIANCE", 9)),
    ],
)
def test_a_lock_that_is_too_weak(
    guarded_site: GuardedSite,
    lock_bucket: RawBucket,
    given: tuple[str, int] | None,
    asked: str,
    after: tuple[str, int],
) -> None:
    """It is raised to what the policy asks for, and never lowered."""
    if given is not None:
        _lock(lock_bucket, *given)
    environment = guarded_site(lock_bucket, lock=asked).environment()
    found = _seen(environment, "object lock")
    assert (found.verdict, found.is_blocking) == ("failed", False)
    assert _mended(environment, "object lock").verdict == "ok"
    retention = lock_bucket.get_object_lock_configuration()["ObjectLockConfiguration"]["Rule"]["DefaultRetention"]
    assert (retention["Mode"], retention["Days"]) == after
    environment.store.put("shop/production/x", [b"1"])
    locked = lock_bucket.get_object_retention(Key="holdfast/shop/production/x")["Retention"]
    assert locked["Mode"] == after[0]


def test_a_stronger_lock_is_well(guarded_site: GuardedSite, lock_bucket: RawBucket) -> None:
    """The policy says the least that it wants."""
    _lock(lock_bucket, "COMPLIANCE", 30)
    environment = guarded_site(lock_bucket, lock="{mode: governance, days: 7}").environment()
    assert _seen(environment, "object lock").verdict == "ok"


def test_a_bucket_without_lock(guarded_site: GuardedSite, raw_bucket: RawBucket) -> None:
    """This server can turn it on in a bucket that keeps versions; the hint says what to do where none can."""
    environment = guarded_site(raw_bucket, lock="{mode: compliance, days: 2}").environment()
    found = _seen(environment, "object lock")
    assert found.verdict == "failed"
    assert "new bucket" in str(found.hint)
    assert _mended(environment, "object lock").text.startswith("mended: ")
    environment.store.put("shop/production/x", [b"1"])
    assert raw_bucket.get_object_retention(Key="holdfast/shop/production/x")["Retention"]["Mode"] == "COMPLIANCE"


def _lock(bucket: RawBucket, mode: str, days: int) -> None:
    retention = {"DefaultRetention": {"Mode": mode, "Days": days}}
    bucket.put_object_lock_configuration(ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": retention})


@pytest.mark.parametrize(
    ("action", "name"),
    [
        ("s3:ListBucket", "anonymous listing"),
        ("s3:GetObject", "anonymous reading"),
    ],
)
def test_strangers_by_bucket_policy(environment: Environment, raw_bucket: RawBucket, action: str, name: str) -> None:
    """What anyone may do without credentials forbids a backup, until apply has taken it back."""
    environment.store.put("shop/production/x", [b"1"])
    assert _seen(environment, name).text == "refused"
    raw_bucket.allow_everybody(action)
    found = _seen(environment, name)
    assert (found.verdict, found.is_blocking) == ("failed", True)
    assert _mended(environment, name).text == "mended: refused"


def test_strangers_by_acl(environment: Environment, raw_bucket: RawBucket) -> None:
    """A public ACL is seen by what it allows, and by its own words, for writing cannot be tried."""
    environment.store.put("shop/production/x", [b"1"])
    raw_bucket.put_bucket_acl(ACL="public-read-write")
    found = _named(check_store(environment))
    for name in ("anonymous listing", "anonymous reading", "public grants"):
        assert (found[name].verdict, found[name].is_blocking) == ("failed", True)
    assert "WRITE" in found["public grants"].text
    mended = _named(apply_store(environment))
    assert {check.verdict for check in mended.values()} == {"ok", "warning"}
    assert len(raw_bucket.get_bucket_acl()["Grants"]) == 1


def test_closing_keeps_what_is_not_public(environment: Environment, raw_bucket: RawBucket) -> None:
    """Only statements that allow everybody go; a refusal, and what has a condition, stays."""
    places = [f"arn:aws:s3:::{raw_bucket.name}"]
    deny = {"Sid": "keep", "Effect": "Deny", "Principal": "*", "Action": "s3:PutBucketTagging", "Resource": places}
    allow = {"Sid": "go", "Effect": "Allow", "Principal": {"AWS": ["*"]}, "Action": "s3:ListBucket", "Resource": places}
    raw_bucket.put_bucket_policy(Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny, allow]}))
    assert _seen(environment, "anonymous listing").verdict == "failed"
    apply_store(environment)
    kept = json.loads(raw_bucket.get_bucket_policy()["Policy"])["Statement"]
    assert [statement["Sid"] for statement in kept] == ["keep"]


def test_credentials_of_the_application(
    guarded_site: GuardedSite, raw_bucket: RawBucket, lock_bucket: RawBucket
) -> None:
    """The same keys forbid a backup, also under another connection's name; others do not, even if they open nothing."""
    site = guarded_site(raw_bucket, media=f'{{source: "s3://{lock_bucket.name}/up", conn_id: shop_media}}')
    site.variables["AIRFLOW_CONN_SHOP_MEDIA"] = site.variables["AIRFLOW_CONN_SHOP_STORE"]
    found = _seen(site.environment(), "credentials")
    assert (found.verdict, found.is_blocking) == ("failed", True)
    other = json.loads(site.variables["AIRFLOW_CONN_SHOP_STORE"])
    site.variables["AIRFLOW_CONN_SHOP_MEDIA"] = json.dumps({**other, "login": "somebody", "password": "else"})
    checks = _named(check_store(site.environment()))
    assert checks["credentials"].verdict == "ok"
    assert (checks["media versioning"].verdict, checks["media versioning"].is_blocking) == ("failed", False)
    assert "somebody" not in str(checks)


def test_credentials_that_the_sdk_finds(
    guarded_site: GuardedSite, raw_bucket: RawBucket, seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two connections without keys use the same ones; one with the keys that the other finds does, too."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", seaweed.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", seaweed.secret_key)
    site = guarded_site(raw_bucket, media='{source: "s3://elsewhere/up", conn_id: shop_media}')
    keyless = json.dumps({"conn_type": "aws", "extra": dict(seaweed.connection("").extra)})
    site.variables["AIRFLOW_CONN_SHOP_MEDIA"] = keyless
    assert _seen(site.environment(), "credentials").is_blocking
    site.variables["AIRFLOW_CONN_SHOP_STORE"] = keyless
    assert _seen(site.environment(), "credentials").is_blocking


@pytest.mark.parametrize(
    ("store", "media", "verdict"),
    [("", "/media", "failed"), ("/app", "/app/media", "failed"), ("/backups", "/media", "warning")],
)
def test_store_and_media_in_one_bucket(
    guarded_site: GuardedSite, raw_bucket: RawBucket, store: str, media: str, verdict: str
) -> None:
    """Media within the store forbid a backup; side by side is a warning, and then apply closes nothing for others."""
    source = f'{{source: "s3://{raw_bucket.name}{media}", conn_id: shop_store}}'
    environment = guarded_site(raw_bucket, prefix=store, media=source).environment()
    found = _seen(environment, "place")
    assert (found.verdict, found.is_blocking) == (verdict, verdict == "failed")
    raw_bucket.allow_everybody("s3:ListBucket")
    told = _mended(environment, "anonymous listing")
    assert told.verdict == "failed"
    assert "could not be mended" in told.text
    assert "ListBucket" in raw_bucket.get_bucket_policy()["Policy"]


def test_the_applications_bucket_is_looked_at_and_left_alone(
    guarded_site: GuardedSite, raw_bucket: RawBucket, s3_client: Any
) -> None:
    """Versioning, retention and strangers are reported; none of it stops the backup, none is changed."""
    media = RawBucket(f"{raw_bucket.name}-media", s3_client)
    media.create_bucket()
    media.allow_everybody("s3:ListBucket")
    source = f'{{source: "s3://{media.name}/up", conn_id: shop_store}}'
    environment = guarded_site(raw_bucket, media=source).environment()
    before = media.state()
    for checks in (check_store(environment), apply_store(environment)):
        found = {name: check for name, check in _named(checks).items() if name.startswith("media")}
        assert {name: check.verdict for name, check in found.items()} == {
            "media versioning": "failed",
            "media lifecycle": "warning",
            "media anonymous listing": "failed",
        }
        assert not any(check.is_blocking for check in found.values())
    assert media.state() == before
    media.remove()


def test_a_bucket_that_is_not_there(guarded_site: GuardedSite, raw_bucket: RawBucket) -> None:
    """One check says so, in place of all that cannot be looked at."""
    site = guarded_site(raw_bucket)
    site.edit_policy(raw_bucket.name, "no-such-bucket")
    checks = check_store(site.environment())
    assert [check.verdict for check in checks if check.name == "bucket"] == ["failed"]
    assert "NoSuchBucket" in checks[0].text
    assert "versioning" not in _named(checks)


def test_what_may_not_be_asked_is_a_failure(environment: Environment, raw_bucket: RawBucket) -> None:
    """Not knowing is not well; the others are looked at all the same."""
    place = f"arn:aws:s3:::{raw_bucket.name}"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:GetBucketVersioning", "Resource": [place]}
    raw_bucket.put_bucket_policy(Policy=json.dumps({"Version": "2012-10-17", "Statement": [deny]}))
    found = _named(check_store(environment))
    assert found["versioning"].verdict == "failed"
    assert "AccessDenied" in found["versioning"].text
    assert found["anonymous listing"].verdict == "ok"


def test_a_missing_connection_of_the_media_does_not_hide_the_store(
    guarded_site: GuardedSite, raw_bucket: RawBucket
) -> None:
    """It is told beside the rest."""
    site = guarded_site(raw_bucket, media='{source: "s3://elsewhere/up", conn_id: absent}')
    found = _named(check_store(site.environment()))
    assert "AIRFLOW_CONN_ABSENT" in found["media"].text
    assert "versioning" in found
    site.variables.pop("AIRFLOW_CONN_SHOP_STORE")
    with pytest.raises(UsageError, match="AIRFLOW_CONN_SHOP_STORE"):
        check_store(site.environment())


def test_the_command_line(guarded_site: GuardedSite, raw_bucket: RawBucket, seaweed: SeaweedFS) -> None:
    """Exit status 1 while anything fails, and no secret in what is said."""
    site = guarded_site(raw_bucket)
    policy = str(site.policy_file)
    assert site.run("store", "check", policy, "production", expect=1).stdout.startswith("✓ bucket".encode())
    done = site.run("store", "apply", policy, "production", "--json")
    assert {check["name"]: check["verdict"] for check in json.loads(done.stdout)["checks"]}["lifecycle"] == "ok"
    assert seaweed.secret_key.encode() not in done.stdout + done.stderr
    site.run("store", "check", policy, "production")
