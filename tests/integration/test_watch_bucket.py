"""The watch's memory in a bucket: two rounds at once page once there, too, and a quiet round asks little."""

from __future__ import annotations

import dataclasses
import threading

import pytest

from failing_store import FailingStore
from fix_environment import MakeSite
from fix_webhook import Webhook
from holdfast.watch import RoundReport, watch_round
from holdfast.watch.round import Carried
from holdfast_embedded.seaweedfs import SeaweedFS
from watched_site import START, finding, watched_site


def test_rounds_over_s3(
    make_site: MakeSite, webhook: Webhook, seaweed: SeaweedFS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who comes second finds the page claimed; afterwards the memory is read with one list and two objects."""
    bucket = seaweed.create_bucket("watch-rounds")
    place = {"store_url": f"s3://{bucket}/backups", "store_conn": seaweed.connection_json()}
    watched = watched_site(make_site, webhook, **place)
    monkeypatch.setenv("HOLDFAST_STATE", watched.site.variables["HOLDFAST_STATE"])
    barrier = threading.Barrier(3)
    reports: list[RoundReport] = []

    def look() -> None:
        environment = watched.environment()
        barrier.wait()
        reports.append(watch_round(environment, START, carried=Carried((finding(),))))

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert webhook.titles == ["[page] shop/production: nightly backup missing"]
    assert sum(report.raised == ("shop/production/nightly",) for report in reports) == 1

    watched.round(finding())
    environment = watched.environment()
    store = FailingStore(environment.store)
    watch_round(dataclasses.replace(environment, store=store), watched.now, carried=Carried((finding(),)))
    asked = [operation for operation, key in store.calls if "/watch/" in key]
    assert sorted(asked) == ["get", "get", "list"]
    assert webhook.taken == []
