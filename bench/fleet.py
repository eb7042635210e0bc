"""A store with very many environments of very many restore points each, and the policies that name them."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.many import manifest_of
from bench.place import Place
from bench.watch import Watch
from holdfast.crypto import age
from holdfast.crypto.signing import Signer
from holdfast.manifest.model import Artifact
from holdfast.values.ids import RestorePointId
from holdfast.values.keys import EnvironmentKeys

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
_APPS = 20
_TABLES = 30
_ARTIFACT = "database.dump.age"
_ENVIRONMENT = """\
  {name}:
    targets: {{rpo: 26h, rto: 1h}}
    database: {{conn_id: none}}
    store: {{url: "{store}"}}
    keys:
      recipients_file: {keys}/recipient.txt
      identity_file: {keys}/identity.txt
      signing_key_file: {keys}/signing.pem
      verify_key_file: {keys}/signing.pub
    tiers:
      nightly: {{schedule: "0 2 * * *", keep: 400d}}
"""


def ensure_fleet(place: Place, environments: int, points: int, watch: Watch) -> list[Path]:
    """The policy files of a finished store of so many environments with so many restore points each, made if needed."""
    finished, wanted = place.fleet / "finished", f"{environments} {points}"
    policies = [place.fleet / f"app{number}.yaml" for number in range(min(_APPS, environments))]
    if finished.exists() and finished.read_text() == wanted:
        return policies
    shutil.rmtree(place.fleet, ignore_errors=True)
    place.fleet.mkdir(mode=0o700)
    (place.fleet / "store").mkdir(mode=0o700)
    names = {
        policy.stem: [f"env{each}" for each in range(environments)][at :: len(policies)]
        for at, policy in enumerate(policies)
    }
    signer = Signer.load(place.keys / "signing.pem")
    with watch.doing(f"writing {environments} environments of {points} restore points, once"):
        for policy in policies:
            _write_policy(policy, names[policy.stem], place)
            for name in names[policy.stem]:
                _write_points(place, EnvironmentKeys(policy.stem, name), points, signer)
                watch.told(f"{policy.stem}/{name}")
    finished.write_text(wanted)
    return policies


def _write_policy(policy: Path, names: Sequence[str], place: Place) -> None:
    store = (place.fleet / "store").as_uri()
    sections = (_ENVIRONMENT.format(name=name, store=store, keys=place.keys) for name in names)
    policy.write_text(f"app: {policy.stem}\nenvironments:\n" + "".join(sections), encoding="utf-8")


def _write_points(place: Place, keys: EnvironmentKeys, points: int, signer: Signer) -> None:
    """As the engine would write them, but without waiting for the disk; one artifact lies under all of its names."""
    recipient = age.parse_recipient((place.keys / "recipient.txt").read_text())
    content = b"".join(age.encrypt([keys.root.encode() * 100], [recipient]))
    first = place.fleet / "store" / keys.root / "restore-points"
    first.mkdir(mode=0o700, parents=True)
    source = place.fleet / "artifact"
    source.unlink(missing_ok=True)
    source.write_bytes(content)
    artifact = Artifact(
        name=_ARTIFACT,
        content="database",
        format="custom",
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        recipients=(str(recipient),),
    )
    for number in range(points):
        opened_at = NOW.replace(hour=2) - timedelta(days=number)
        id = RestorePointId.make(opened_at, "nightly", f"night {number}")
        manifest = manifest_of(id, number, (artifact,), app=keys.app, environment=keys.environment, tables=_TABLES)
        document = manifest.encode()
        folder = first / str(id)
        folder.mkdir(mode=0o700)
        os.link(source, folder / _ARTIFACT)
        for name, written in (("manifest.sig", signer.sign(document)), ("manifest.json", document)):
            (folder / name).write_bytes(written)
            os.utime(folder / name, times=(opened_at.timestamp() + 60,) * 2)
