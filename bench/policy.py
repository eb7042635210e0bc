"""The policy of the measured environments, and the keys that it names."""

from __future__ import annotations

from pathlib import Path

from bench.engine import APP
from bench.place import Place
from holdfast.crypto.keyfiles import new_keys

REFERENCE_LOCAL = "reference-local"
SWITCHED = "switched"
BLOBS_LOCAL = "blobs-local"
BLOBS_S3 = "blobs-s3"
MANY = "many"
LIBRARY = "library"
LARGE_FILE = "large-file"
CROWD = "crowd"
MILLION = "million"
SHARD_S3 = "shard-s3"

PHYSICAL = ("physical_18", "physical_15")
STREAMED = "streamed"

_MEDIA = (LIBRARY, LARGE_FILE, CROWD, MILLION)
BUCKET = "bench"
STORE_CONN_ID = "bench_store"

_ENVIRONMENT = """\
  {name}:
    database: {{conn_id: {database}{pitr}}}{media}
    store: {{url: "{store}"{conn}}}
    keys:
      recipients_file: {keys}/recipient.txt
      identity_file: {keys}/identity.txt
      signing_key_file: {keys}/signing.pem
      verify_key_file: {keys}/signing.pub
    tiers:
      nightly: {{keep: 35d}}
"""


def write_policy(place: Place) -> None:
    """Write the policy file; make the keys where there are none: one recipient and its identity."""
    if not place.keys.exists():
        new_keys(place.keys)
    local = place.stores.as_uri()
    environments = [
        _environment(place.keys, REFERENCE_LOCAL, "reference", local),
        _environment(place.keys, SWITCHED, SWITCHED, local),
        _environment(place.keys, BLOBS_LOCAL, "blobs", local),
        _environment(place.keys, BLOBS_S3, "blobs", f"s3://{BUCKET}/holdfast", STORE_CONN_ID),
        *(_environment(place.keys, name, name, local, pitr=", pitr: streaming") for name in (*PHYSICAL, STREAMED)),
        _environment(place.keys, MANY, "reference", place.many.as_uri()),
        *(_environment(place.keys, name, "none", local, media=place.media / name) for name in _MEDIA),
        _environment(
            place.keys, SHARD_S3, "none", f"s3://{BUCKET}/holdfast", STORE_CONN_ID, media=place.media / SHARD_S3
        ),
    ]
    place.policy.write_text(f"app: {APP}\nenvironments:\n" + "".join(environments), encoding="utf-8")


def _environment(
    keys: Path,
    name: str,
    database: str,
    store: str,
    conn_id: str | None = None,
    *,
    media: Path | None = None,
    pitr: str = "",
) -> str:
    conn = f", conn_id: {conn_id}" if conn_id else ""
    source = f'\n    media: {{source: "{media.as_uri()}"}}' if media else ""
    return _ENVIRONMENT.format(name=name, database=database, pitr=pitr, media=source, store=store, conn=conn, keys=keys)
