"""A bucket that refuses the key of the watch is one page, whatever part of the reading meets it first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fix_environment import MakeSite
from fix_webhook import Webhook
from holdfast.audit import Act, append
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
