"""A bucket that refuses the key of the watch is one page, whatever part of the reading meets it first."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from fake_s3 import FakeS3, refusal
from fix_environment import MakeSite
from fix_webhook import Webhook
from holdfast.audit import Act, append
from holdfast.watch import status_of, watch_all
from holdfast_embedded.seaweedfs import SeaweedFS
from point_factory import store_point
from watched_site import START, watched_site


def test_a_refused_key_is_one_page(
    make_site: MakeSite,
    webhook: Webhook,
    seaweed: SeaweedFS,
    bucket: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing of the store counts as missing or altered; once the key is right it is over."""
    good = seaweed.connection_json()
    store = {"store_url": f"s3://{bucket}/{tmp_path.name}", "store_conn": good}
    watched = watched_site(make_site, webhook, **store)
    monkeypatch.setenv("HOLDFAST_STATE", watched.site.variables["HOLDFAST_STATE"])
    environment = watched.environment()
    store_point(environment.catalog, environment.signer(), START, recipients=environment.recipients())
    append(environment, Act("held", "point"))
    for _ in range(2):
        assert watched.round().findings == ()
    watched.site.variables["AIRFLOW_CONN_SHOP_STORE"] = json.dumps(json.loads(good) | {"password": "rotated"})
    found = watched.round().findings
    (page,) = webhook.taken
    assert {finding.kind for finding in found} == {"store_unreachable"}
    assert page.title.startswith("[page] shop/production: store s3://")
    watched.round()
    assert webhook.taken == []
    watched.site.variables["AIRFLOW_CONN_SHOP_STORE"] = good
    assert watched.round().findings == ()
    assert [title.split(":")[0] for title in webhook.titles] == ["[resolved] shop/production"]


def test_a_bucket_that_many_share_is_asked_once(
    make_site: MakeSite, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first environment finds out and tells for all, in one message; else none would be told of in time."""
    with FakeS3(lambda asked: refusal(403, "AccessDenied")) as s3:
        there = s3.connection("shop_store")
        conn = json.dumps(
            {"conn_type": "aws", "login": there.login, "password": there.password, "extra": dict(there.extra)}
        )
        watched = watched_site(make_site, webhook, store_url="s3://shared/holdfast", store_conn=conn)
        monkeypatch.setenv("HOLDFAST_STATE", watched.site.variables["HOLDFAST_STATE"])
        file, connections = watched.site.policy_file, watched.environment().connections
        alone = len(s3.asked)
        watched.round()
        alone = len(s3.asked) - alone
        assert [page.title.split(":")[0] for page in webhook.taken] == ["[page] shop/production"]

        policy = yaml.safe_load(file.read_text())
        environments = policy["environments"]
        environments |= {f"copy{number}": environments["production"] for number in range(11)}
        file.write_text(yaml.safe_dump(policy, sort_keys=False))
        before = len(s3.asked)
        report = watch_all([file], connections, watched.now + timedelta(minutes=15))
        assert len(report.failed) == 11
        assert len(s3.asked) - before <= 2 * alone
        (page,) = webhook.taken
        assert "11 alerts" in page.title
        assert all(f"shop/copy{number} cannot be looked at" in page.message["message"] for number in range(11))
        watch_all([file], connections, watched.now + timedelta(minutes=30))
        assert webhook.taken == []
        found = status_of([file], connections, watched.now).findings
        assert {finding.environment for finding in found if finding.kind == "store_unreachable"} == set(environments)
