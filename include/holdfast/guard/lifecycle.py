"""A bucket's lifecycle rules: what they do to the store's objects, and what is to be added to them.

Wanted: parts of uploads that died are removed, and noncurrent versions go one day. Not wanted: a rule that deletes
current objects, for then the catalog names what is gone, or versions that somebody may yet want back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.guard.point import Point
from holdfast.storage.buckets import Bucket
from holdfast.values.check import Check

Rule = Mapping[str, Any]
_ID = "holdfast-store-"
_ABORT_DAYS = 7
_NONCURRENT_DAYS = 30
_LEAST_NONCURRENT_DAYS = 7
_COLD = ("GLACIER", "DEEP_ARCHIVE")


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Rules judged for the objects below ``prefix``, which the bucket locks for ``lock_days`` (0: not at all)."""

    rules: Sequence[Rule]
    prefix: str
    lock_days: int = 0

    def missing(self) -> list[str]:
        """What no rule does for all of the objects."""
        covering = [rule for rule in self.rules if _covers(rule, self.prefix)]
        missing = []
        if not any("AbortIncompleteMultipartUpload" in rule for rule in covering):
            missing.append("no rule aborts incomplete multipart uploads")
        expirations = [rule.get("NoncurrentVersionExpiration", {}) for rule in covering]
        if not any("NoncurrentDays" in each and "NewerNoncurrentVersions" not in each for each in expirations):
            missing.append("no rule lets noncurrent versions expire")
        return missing

    def harms(self) -> list[str]:
        """What enabled rules do that takes backups away."""
        return [harm for rule in self.rules if (harm := self._harm(rule)) is not None]

    def delays(self) -> list[str]:
        """Rules that move objects to where reading them takes hours."""
        return [
            f"rule {rule.get('ID', '?')} moves objects to {transition['StorageClass']}"
            for rule in self.rules
            if _touches(rule, self.prefix)
            for transition in rule.get("Transitions", [])
            if transition.get("StorageClass") in _COLD
        ]

    def mended(self) -> list[Rule]:
        """The rules with ours, and without the harm of those that concern nothing but the store.

        A harmful rule that also reaches beyond the store's prefix is left as it is: other data may need it.
        """
        kept = [_modern(rule) for rule in self.rules if not _is_ours(rule, self.prefix)]
        mended = [
            {**rule, "Status": "Disabled"} if self._harm(rule) and _prefix(rule).startswith(self.prefix) else rule
            for rule in kept
        ]
        return [*mended, self._ours()]

    def _ours(self) -> Rule:
        return {
            "ID": _ID + hashlib.sha256(self.prefix.encode()).hexdigest()[:12],
            "Status": "Enabled",
            "Filter": {"Prefix": self.prefix},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _ABORT_DAYS},
            "NoncurrentVersionExpiration": {"NoncurrentDays": max(_NONCURRENT_DAYS, self.lock_days)},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        }

    def _harm(self, rule: Rule) -> str | None:
        if not _touches(rule, self.prefix):
            return None
        name = f"rule {rule.get('ID', '?')}"
        expiration = rule.get("Expiration", {})
        if "Days" in expiration or "Date" in expiration:
            when = f"after {expiration['Days']} days" if "Days" in expiration else f"on {expiration['Date']}"
            return f"{name} deletes current objects {when}"
        days = rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays")
        if days is not None and days < max(self.lock_days, _LEAST_NONCURRENT_DAYS):
            wanted = f"object_lock asks for {self.lock_days}" if days < self.lock_days else "too soon to notice a loss"
            return f"{name} drops noncurrent versions after {days} days: {wanted}"
        return None


def read(bucket: Bucket) -> dict[str, Any]:
    """The bucket's lifecycle configuration as the server tells it."""
    answer = bucket.ask("get_bucket_lifecycle_configuration", absent=("NoSuchLifecycleConfiguration",)) or {}
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def point(bucket: Bucket, prefix: str, lock_days: int) -> Point:
    """The rules for what lies below ``prefix``."""

    def judged() -> Lifecycle:
        return Lifecycle(read(bucket).get("Rules", []), prefix, lock_days)

    def look() -> Check | str:
        found = judged()
        faults = [*found.harms(), *found.missing()]
        if faults:
            hint = "`holdfast store apply POLICY ENV` adds what is missing, and disables rules of the store's alone."
            if found.harms():
                hint += " Narrow the other rules that are named by hand."
            return Check("lifecycle", "failed", "; ".join(faults), hint)
        if found.delays():
            return Check("lifecycle", "warning", "; ".join(found.delays()), "A restore would first wait for hours.")
        return "dead uploads and noncurrent versions go, current objects stay"

    def mend() -> None:
        found = read(bucket)
        more = {name: value for name, value in found.items() if name != "Rules"}
        rules = Lifecycle(found.get("Rules", []), prefix, lock_days).mended()
        bucket.ask("put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": rules}, **more)

    return Point("lifecycle", look, mend)


def _filter(rule: Rule) -> Rule:
    found: Rule = rule.get("Filter", {})
    inner: Rule = found.get("And", found)
    return inner


def _prefix(rule: Rule) -> str:
    return str(_filter(rule).get("Prefix", rule.get("Prefix", "")) or "")


def _is_tagged(rule: Rule) -> bool:
    """Nothing in a store bears tags, hence such a rule concerns none of it."""
    return bool(_filter(rule).get("Tag") or _filter(rule).get("Tags"))


def _covers(rule: Rule, prefix: str) -> bool:
    by_size = {"ObjectSizeGreaterThan", "ObjectSizeLessThan"} & set(_filter(rule))
    return _touches(rule, prefix) and prefix.startswith(_prefix(rule)) and not by_size


def _touches(rule: Rule, prefix: str) -> bool:
    if rule.get("Status") != "Enabled" or _is_tagged(rule):
        return False
    return prefix.startswith(_prefix(rule)) or _prefix(rule).startswith(prefix)


def _is_ours(rule: Rule, prefix: str) -> bool:
    return str(rule.get("ID", "")).startswith(_ID) and _prefix(rule) == prefix


def _modern(rule: Rule) -> Rule:
    """The old form has the prefix beside the filter; a server refuses both forms in one configuration."""
    if "Filter" in rule or "Prefix" not in rule:
        return rule
    return {**{name: value for name, value in rule.items() if name != "Prefix"}, "Filter": {"Prefix": rule["Prefix"]}}
