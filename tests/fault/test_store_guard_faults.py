"""The guard and a store that fails: nothing that could not be seen is called well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fake_s3 import Answer, Asked, FakeS3, refusal
from fix_bucket import RawBucket
from fix_environment import MakeSite, Site
from holdfast.guard import apply_store, check_store
from holdfast.guard.point import checked
from holdfast.guard.strangers import points
from holdfast.storage.buckets import open_bucket
from holdfast_embedded.seaweedfs import SeaweedFS
from tcp_proxy import TcpProxy

_EMPTY = 200, b"<ListBucketResult><Contents><Key>holdfast/x</Key><Size>1</Size></Contents></ListBucketResult>"


def _site(make_site: MakeSite, seaweed: SeaweedFS, bucket: RawBucket, port: int) -> Site:
    connection = seaweed.connection_json().replace(str(seaweed.port), str(port))
    return make_site(
        "postgresql://nobody@db.invalid/none", store_url=f"s3://{bucket.name}/holdfast", store_conn=connection
    )


def test_a_store_that_is_down(make_site: MakeSite, seaweed: SeaweedFS, raw_bucket: RawBucket) -> None:
    """One failed check, which forbids nothing by itself, and no word on what was not seen."""
    with TcpProxy(seaweed.port) as proxy:
        site = _site(make_site, seaweed, raw_bucket, proxy.port)
        environment = site.environment()
    checks = check_store(environment)
    assert [check.name for check in checks] == ["bucket", "credentials", "place"]
    assert (checks[0].verdict, checks[0].is_blocking) == ("failed", False)
    assert "endpoint" in checks[0].text


def test_answers_that_are_lost_are_asked_for_again(
    make_site: MakeSite, seaweed: SeaweedFS, raw_bucket: RawBucket
) -> None:
    """A mend whose answer never came is made again, and seen to hold."""
    with TcpProxy(seaweed.port) as proxy:
        environment = _site(make_site, seaweed, raw_bucket, proxy.port).environment()
        for request in (b"?versioning", b"PUT /" + raw_bucket.name.encode() + b"?lifecycle", b"list-type=2"):
            proxy.lose_answer(request)
        assert {check.verdict for check in apply_store(environment)} == {"ok", "warning"}
        assert proxy.lost_answers == 3


@pytest.mark.parametrize("answer", [refusal(500, "InternalError"), refusal(503, "SlowDown")])
def test_a_server_that_fails_strangers_has_not_refused_them(answer: Answer) -> None:
    """Only a refusal counts as one: it might let them in when it is well again."""

    def answers(asked: Asked) -> Answer:
        return _EMPTY if asked.is_signed else answer

    with FakeS3(answers) as fake:
        found = checked(
            points(open_bucket("s3://backups/holdfast", fake.connection("x")), "holdfast/", is_shared=False)[1:2]
        )
    assert (found[0].verdict, found[0].is_blocking) == ("failed", False)
    assert "without credentials" in found[0].text


@pytest.mark.parametrize(
    "answer", [refusal(400, "InvalidArgument"), refusal(401, "Unauthorized"), refusal(403, "AccessDenied")]
)
def test_every_way_to_refuse_strangers(answer: Answer) -> None:
    """Servers differ in how they say no."""

    def answers(asked: Asked) -> Answer:
        return _EMPTY if asked.is_signed else answer

    with FakeS3(answers) as fake:
        bucket = open_bucket("s3://backups/holdfast", replace(fake.connection("x"), conn_id="store"))
        found = checked(points(bucket, "holdfast/", is_shared=False)[1:3])
    assert [check.text for check in found] == ["refused", "refused"]
