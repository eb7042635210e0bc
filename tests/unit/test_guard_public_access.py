"""The public-access block, which no S3 server that runs here has: on an endpoint that answers like AWS."""

from __future__ import annotations

import pytest

from fake_s3 import Answer, Asked, FakeS3, refusal
from holdfast.guard.point import applied, checked
from holdfast.guard.strangers import points
from holdfast.storage.buckets import Bucket, open_bucket
from holdfast.values.check import Check

SWITCHES = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class Aws:
    """The part of a bucket that is asked for here; strangers are refused, its owner's ACL is its own."""

    def __init__(self, *switched_on: str, unset: Answer | None = None) -> None:
        self.block = _block(switched_on) if unset is None else unset

    def __call__(self, asked: Asked) -> Answer:
        if asked.query != "publicAccessBlock":
            return refusal(403, "AccessDenied")
        if asked.method == "PUT":
            self.block = (200, asked.body)
            return 200, b""
        return self.block


def _block(switched_on: tuple[str, ...]) -> Answer:
    inner = "".join(f"<{name}>{str(name in switched_on).lower()}</{name}>" for name in SWITCHES)
    return 200, f"<PublicAccessBlockConfiguration>{inner}</PublicAccessBlockConfiguration>".encode()


def _bucket(fake: FakeS3) -> Bucket:
    return open_bucket("s3://backups/holdfast", fake.connection("store"))


def _seen(fake: FakeS3) -> Check:
    return checked(points(_bucket(fake), "holdfast/", is_shared=False)[:1])[0]


def test_a_whole_block_is_well() -> None:
    """All four switches are on."""
    with FakeS3(Aws(*SWITCHES)) as fake:
        assert _seen(fake).verdict == "ok"


@pytest.mark.parametrize(
    ("aws", "said"),
    [
        (Aws(unset=refusal(404, "NoSuchPublicAccessBlockConfiguration")), "is not set"),
        (Aws(), "is not set"),
        (Aws(*SWITCHES[:3]), "lacks RestrictPublicBuckets"),
    ],
)
def test_what_is_missing_is_named_and_set(aws: Aws, said: str) -> None:
    """Looking writes nothing; mending sets all four."""
    with FakeS3(aws) as fake:
        found = _seen(fake)
        assert (found.verdict, found.is_blocking) == ("failed", False)
        assert said in found.text
        assert {asked.method for asked in fake.asked} == {"GET"}
        (mended,) = applied(points(_bucket(fake), "holdfast/", is_shared=False)[:1])
        assert mended.text == "mended: the bucket's public-access block is whole"


@pytest.mark.parametrize("answer", [refusal(501, "NotImplemented"), refusal(405, "MethodNotAllowed")])
def test_a_server_without_it_is_a_warning(answer: Answer) -> None:
    """And nothing is tried to mend it."""
    with FakeS3(Aws(unset=answer)) as fake:
        (found,) = applied(points(_bucket(fake), "holdfast/", is_shared=False)[:1])
        assert found.verdict == "warning"
        assert "does not offer" in found.text
        assert {asked.method for asked in fake.asked} == {"GET"}


def test_a_bucket_of_the_application_is_not_closed() -> None:
    """Its pictures may have to be public."""
    with FakeS3(Aws()) as fake:
        (found,) = applied(points(_bucket(fake), "holdfast/", is_shared=True)[:1])
        assert found.verdict == "failed"
        assert "could not be mended" in found.text
        assert {asked.method for asked in fake.asked} == {"GET"}
