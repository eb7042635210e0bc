"""One small file out of a large shard in an object store: how much of the store is read for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from bench.counting import CountingProxy
from bench.engine import Engine, facts
from bench.figures import Figure, Result, Target
from bench.policy import BUCKET, SHARD_S3, STORE_CONN_ID
from bench.series import Contender, alternate
from bench.session import Session
from bench.trees import shard_tree
from holdfast.errors import PermanentError
from holdfast_embedded.seaweedfs import SeaweedFS

_PHOTOS = 1200
_LIMIT_BYTES = 1 << 20


def measure(session: Session) -> Result:
    """Bytes that the server sent for each of some restores of one photo, and their seconds."""
    place = session.place
    target = place.files / "one"
    with (
        shard_tree(place.media / SHARD_S3, _PHOTOS, session.watch) as photos,
        SeaweedFS(place.seaweedfs) as server,
        CountingProxy(server.port) as proxy,
    ):
        server.create_bucket(BUCKET)
        direct = session.offline.knowing(STORE_CONN_ID, server.connection_json())
        counted = direct.knowing(STORE_CONN_ID, _through(server.connection_json(), proxy.port))
        synced = facts(direct.media("sync", SHARD_S3))
        wanted = [str(photo.relative_to(place.media / SHARD_S3)) for photo in photos]
        rounds = max(session.rounds, 5)
        received: list[float] = []
        seconds: list[float] = []
        for number in range(rounds):
            name = wanted[number * (len(wanted) - 1) // (rounds - 1)]
            before = proxy.received_bytes
            restoring = Contender("media restore --path", lambda name=name: _restore(counted, target, name))  # type: ignore[misc]
            ((done,),) = alternate([restoring], 1, session.watch, warms_up=False)
            received.append((proxy.received_bytes - before) / 1024)
            seconds.append(done.seconds)
            if (target / name).stat().st_size != photos[0].stat().st_size:
                raise PermanentError(f"media restore: {name} is not the file that was asked for")
            shutil.rmtree(target)
    shutil.rmtree(place.seaweedfs, ignore_errors=True)
    return Result(
        (
            Figure.of("sent by the store for one file of 100 KiB", "KiB", received, "all answers, headers included"),
            Figure.of("its seconds", "s", seconds, "process start included"),
        ),
        (Target("the most that was read", max(received), _LIMIT_BYTES / 1024, unit="KiB"),),
        (f"{synced['files']} files in shards of together {float(str(synced['stored_bytes'])) / (1 << 20):.0f} MiB",),
    )


def _restore(engine: Engine, target: Path, name: str):
    return engine.media("restore", SHARD_S3, "latest", "--to", str(target), "--path", name)


def _through(connection: str, port: int) -> str:
    fields = json.loads(connection)
    fields["extra"]["endpoint_url"] = f"http://127.0.0.1:{port}"
    return json.dumps(fields)
