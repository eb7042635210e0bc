"""A round of the watch over S3 asks for what is new, and never again for all that was ever stored."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from failing_store import FailingStore
from fix_environment import MakeSite
from holdfast.environment import Environment
from holdfast.storage.protocol import StoredObject
from holdfast.watch.facts import HISTORY, EnvironmentFacts
from holdfast.watch.reading import read_facts
from holdfast_embedded.seaweedfs import SeaweedFS
from point_factory import store_check, store_point

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
_numbers = itertools.count(1)


class CountingStore(FailingStore):
    """Counts what is asked of it; ``listed`` is how many objects its listings gave."""

    listed = 0

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        for stored in super().list(prefix, after=after):
            self.listed += 1
            yield stored


def environment_of(make_site: MakeSite, seaweed: SeaweedFS, bucket: str) -> Environment:
    """An environment whose store is a bucket of a real server."""
    connection = seaweed.connection("shop_store")
    site = make_site(
        "postgresql:///none",
        store_url=f"s3://{bucket}/watch-{next(_numbers)}",
        store_conn=connection_json(connection.login, connection.password, seaweed.endpoint),
    )
    return site.environment()


def connection_json(login: str | None, password: str | None, endpoint: str) -> str:
    """The connection as a variable of the environment holds it."""
    extra = f'{{"endpoint_url": "{endpoint}", "region_name": "us-east-1"}}'
    return f'{{"conn_type": "aws", "login": "{login}", "password": "{password}", "extra": {extra}}}'


def points(environment: Environment, first: int, last: int) -> None:
    """Restore points of the nights ``first`` to ``last`` ago, stored side by side."""

    def store(night: int) -> None:
        store_point(environment.catalog, environment.signer(), NOW - night * DAY, recipients=environment.recipients())

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(store, range(first, last + 1)))


def counted(environment: Environment, known: EnvironmentFacts) -> tuple[EnvironmentFacts, CountingStore]:
    store = CountingStore(environment.store)
    return read_facts(replace(environment, store=store), NOW, known), store


def test_requests_grow_with_what_is_new(make_site: MakeSite, seaweed: SeaweedFS, bucket: str) -> None:
    """With 20 and with 200 restore points and the same new ones, a round asks the same."""
    environment = environment_of(make_site, seaweed, bucket)
    points(environment, 3, 22)
    known = read_facts(environment, NOW)
    assert (known.counts, known.troubles) == ({"nightly": 20}, ())
    few, quiet_few = _rounds(environment, known)
    points(environment, 23, 202)
    known = read_facts(environment, NOW, known)
    assert known.counts == {"nightly": 202}
    # The same two new ones again: those that were known before them are.
    known = known.model_copy(update={"points": known.points[:-2]})
    many, quiet_many = _rounds(environment, known, is_stored=True)
    # Side by side, they have no order.
    assert sorted(many.calls) == sorted(few.calls)
    assert sorted(quiet_many.calls) == sorted(quiet_few.calls)
    assert (many.listed, quiet_many.listed) == (few.listed, quiet_few.listed)
    # Of what listings give, only the names of the folders grow in number.
    assert many.listed <= 3 * HISTORY
    gets = Counter(operation for operation, _ in many.calls)
    assert (gets["get"], gets["read_range"]) == (2 * 2, 1)


def _rounds(
    environment: Environment, known: EnvironmentFacts, *, is_stored: bool = False
) -> tuple[CountingStore, CountingStore]:
    """What a round with two new restore points asks, and the one after, in which nothing is new."""
    if not is_stored:
        points(environment, 1, 2)
    facts, store = counted(environment, known)
    assert facts.troubles == ()
    assert [each.opened_at for each in facts.points[-2:]] == [NOW - 2 * DAY, NOW - DAY]
    again, quiet = counted(environment, facts)
    assert again.points == facts.points
    return store, quiet


def test_a_bucket_is_read_as_a_folder_is(make_site: MakeSite, seaweed: SeaweedFS, bucket: str) -> None:
    """Points, a check, an unfinished one, and a lost artifact, on a real server."""
    environment = environment_of(make_site, seaweed, bucket)
    points(environment, 1, 4)
    known = read_facts(environment, NOW)
    ids = [each.id for each in known.points]
    assert (len(ids), known.faulty, known.troubles) == (4, (), ())
    entry = environment.catalog.entries()[2]
    store_check(environment.catalog, environment.signer(), entry.id, NOW)
    environment.store.delete(environment.keys.artifact(environment.catalog.entries()[3].id, "database.dump.age"))
    facts = read_facts(environment, NOW, known)
    assert [each.restore_check for each in facts.points] == [None, None, "passed", None]
    assert [(each.id, each.kind) for each in facts.faulty] == [(ids[3], "artifact_missing")]


def test_a_bucket_that_is_refused(make_site: MakeSite, seaweed: SeaweedFS, bucket: str) -> None:
    """Wrong credentials are a trouble that says so; what was known stands."""
    environment = environment_of(make_site, seaweed, bucket)
    points(environment, 1, 2)
    known = read_facts(environment, NOW)
    refused = make_refused(environment, seaweed)
    facts = read_facts(refused, NOW, known)
    assert [(each.kind, each.subject) for each in facts.troubles] == [("store_unreachable", "store")]
    assert facts.points == known.points


def make_refused(environment: Environment, seaweed: SeaweedFS) -> Environment:
    """The same environment with a secret key that is wrong."""
    from holdfast.storage.opening import open_store

    connection = replace(seaweed.connection("shop_store"), password="wrong" * 8)
    return replace(environment, store=open_store(environment.policy.store.url, connection))
