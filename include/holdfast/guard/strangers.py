"""Strangers: what keeps them out, and whether one without credentials can list or read; the latter really tried."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from holdfast.errors import PermanentError
from holdfast.guard.point import Point
from holdfast.storage.buckets import Bucket, answer_of
from holdfast.values.check import Check

_GROUPS = (
    "http://acs.amazonaws.com/groups/global/AllUsers",
    "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
)
_BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_SETTLING_S = 5.0
_BLOCK_HINT = "`holdfast store apply POLICY ENV` sets it."
_HINT = "`holdfast store apply POLICY ENV` takes public grants out of the bucket's policy and ACL."


def points(bucket: Bucket, prefix: str, *, is_shared: bool) -> list[Point]:
    """Public-access block, listing, reading, and rights that the bucket's ACL gives to everybody.

    ``is_shared``: the application uses the bucket too, and may need it public: then nothing is taken away from it.
    """

    def point(name: str, look: Callable[[], Check | str], close: Callable[[Bucket], None] = _close) -> Point:
        def mend() -> None:
            if is_shared:
                raise PermanentError(
                    "the application's media lie in the same bucket",
                    hint="Move the store into a bucket of its own, or close the bucket by hand.",
                )
            close(bucket)
            _await(look)

        return Point(name, look, mend)

    return [
        point("public access", lambda: _public_access(bucket), _block_public_access),
        point("anonymous listing", lambda: listing(bucket, prefix)),
        point("anonymous reading", lambda: _reading(bucket, prefix)),
        point("public grants", lambda: _grants(bucket)),
    ]


def _public_access(bucket: Bucket) -> Check | str:
    answer = bucket.ask("get_public_access_block", absent=("NoSuchPublicAccessBlockConfiguration",))
    found = {} if answer is None else answer["PublicAccessBlockConfiguration"]
    open_ = [name for name in _BLOCKED if not found.get(name)]
    if not open_:
        return "the bucket's public-access block is whole"
    missing = "is not set" if len(open_) == len(_BLOCKED) else f"lacks {', '.join(open_)}"
    return Check("public access", "failed", f"the bucket's public-access block {missing}", _BLOCK_HINT)


def _block_public_access(bucket: Bucket) -> None:
    bucket.ask("put_public_access_block", PublicAccessBlockConfiguration=dict.fromkeys(_BLOCKED, True))


def listing(bucket: Bucket, prefix: str, *, name: str = "anonymous listing", is_blocking: bool = True) -> Check | str:
    """Ask for objects and for versions, of the whole bucket and below the prefix, without credentials."""
    tries: list[tuple[str, dict[str, str]]] = [
        (operation, {"Prefix": where} if where else {})
        for operation in ("list_objects_v2", "list_object_versions")
        for where in dict.fromkeys(("", prefix))
    ]
    for operation, parameters in tries:
        if _is_allowed(bucket, operation, MaxKeys=1, **parameters):
            text = f"anyone can list {bucket.url} without credentials"
            return Check(name, "failed", text, _HINT, is_blocking=is_blocking)
    return "refused"


def _reading(bucket: Bucket, prefix: str) -> Check | str:
    listed = bucket.ask("list_objects_v2", Prefix=prefix, MaxKeys=1).get("Contents", [])
    if not listed:
        return "nothing is stored yet that could be tried"
    key = listed[0]["Key"]
    if _is_allowed(bucket, "head_object", Key=key) or _is_allowed(bucket, "get_object", Key=key, Range="bytes=0-0"):
        text = f"anyone can read {key} of {bucket.url} without credentials"
        return Check("anonymous reading", "failed", text, _HINT, is_blocking=True)
    return "refused"


def _grants(bucket: Bucket) -> Check | str:
    found = sorted({grant["Permission"] for grant in _acl(bucket)["Grants"] if _is_public(grant)})
    if not found:
        return "none in the bucket's ACL"
    text = f"the bucket's ACL gives {', '.join(found)} to everybody"
    return Check("public grants", "failed", text, _HINT, is_blocking=True)


def _is_allowed(bucket: Bucket, operation: str, **parameters: object) -> bool:
    """Did the server do it for nobody? Any answer but a plain yes or no is an error, for then nothing is known."""
    from botocore.exceptions import ClientError  # type: ignore[import-untyped]

    with bucket.explained(f"try {operation.replace('_', ' ')} without credentials"):
        try:
            getattr(bucket.anonymous, operation)(Bucket=bucket.name, **parameters)
        except ClientError as error:
            status = answer_of(error).status
            if status == 501 or (status is not None and 400 <= status < 500 and status not in (408, 429)):
                return False
            raise
    return True


def _close(bucket: Bucket) -> None:
    acl = _acl(bucket)
    kept = [grant for grant in acl["Grants"] if not _is_public(grant)]
    if len(kept) < len(acl["Grants"]):
        bucket.ask("put_bucket_acl", AccessControlPolicy={"Grants": kept, "Owner": acl["Owner"]})
    answer = bucket.ask("get_bucket_policy", absent=("NoSuchBucketPolicy",))
    if answer is None:
        return
    policy = json.loads(answer["Policy"])
    statements = policy["Statement"] if isinstance(policy["Statement"], list) else [policy["Statement"]]
    closed = [statement for statement in statements if not _is_open(statement)]
    if not closed:
        bucket.ask("delete_bucket_policy")
    elif len(closed) < len(statements):
        bucket.ask("put_bucket_policy", Policy=json.dumps({**policy, "Statement": closed}))


def _is_open(statement: dict[str, Any]) -> bool:
    """Does it allow everybody something, without a condition?"""
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, dict) else principal
    is_everybody = "*" in (named if isinstance(named, list) else [named])
    return statement.get("Effect") == "Allow" and not statement.get("Condition") and is_everybody


def _acl(bucket: Bucket) -> dict[str, Any]:
    found: dict[str, Any] = bucket.ask("get_bucket_acl")
    return found


def _is_public(grant: dict[str, Any]) -> bool:
    return grant.get("Grantee", {}).get("URI") in _GROUPS


def _await(look: Callable[[], Check | str]) -> None:
    """Some servers heed a changed policy a moment later."""
    deadline = time.monotonic() + _SETTLING_S
    while isinstance(look(), Check) and time.monotonic() < deadline:
        time.sleep(0.2)
