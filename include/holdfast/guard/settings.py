"""Settings of the store's bucket that are on or off: versioning and default encryption."""

from __future__ import annotations

from holdfast.guard.point import Point
from holdfast.storage.buckets import Bucket
from holdfast.values.check import Check

_APPLY = "`holdfast store apply POLICY ENV` mends it."


def versioning(bucket: Bucket, *, name: str = "versioning", hint: str = _APPLY) -> Check | str:
    """Whether what is deleted or overwritten can be brought back."""
    status = bucket.ask("get_bucket_versioning").get("Status")
    if status == "Enabled":
        return "what is deleted stays as a noncurrent version"
    return Check(name, "failed", f"versioning is {'suspended' if status else 'off'}: a deletion is final", hint)


def points(bucket: Bucket) -> list[Point]:
    """Versioning first: object lock needs it."""
    return [
        Point("versioning", lambda: versioning(bucket), lambda: _enable_versioning(bucket)),
        Point("encryption", lambda: _encryption(bucket), lambda: _encrypt(bucket)),
    ]


def _enable_versioning(bucket: Bucket) -> None:
    bucket.ask("put_bucket_versioning", VersioningConfiguration={"Status": "Enabled"})


def _encryption(bucket: Bucket) -> Check | str:
    answer = bucket.ask("get_bucket_encryption", absent=("ServerSideEncryptionConfigurationNotFoundError",))
    rules = [] if answer is None else answer["ServerSideEncryptionConfiguration"].get("Rules", [])
    for rule in rules:
        algorithm = rule.get("ApplyServerSideEncryptionByDefault", {}).get("SSEAlgorithm")
        if algorithm:
            return f"{algorithm} by default"
    return Check("encryption", "failed", "the bucket encrypts nothing by default", _APPLY)


def _encrypt(bucket: Bucket) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    bucket.ask("put_bucket_encryption", ServerSideEncryptionConfiguration={"Rules": [rule]})
