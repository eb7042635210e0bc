"""The step that compares every page of a recovered cluster with its checksum, while its server is down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from holdfast.drill.checks.findings import capped
from holdfast.drill.checks.naming import without_quotes
from holdfast.drill.outcome import Outcome, blames_backup
from holdfast.drill.pitr.asking import databases_of
from holdfast.drill.scene import Scene, Work
from holdfast.errors import DrillError
from holdfast.manifest.evidence import Fact, Finding
from holdfast.process.child import ChildFailed, Command, Finished, base_environment, run, stream
from holdfast.progress import Progress
from holdfast.recovery import opened_recovery
from holdfast.recovery.place import Place
from holdfast.recovery.record import read_made

_BAD = re.compile(r'checksum verification failed in file "(.+?)", block (\d+)')
_COUNTED = re.compile(r"^(Files scanned|Blocks scanned|Bad checksums):\s+(\d+)", re.MULTILINE)
_SHUT_DOWN = "shut down"


def check_pages(scene: Scene, progress: Progress) -> Work:
    """Verify the checksums of all pages; the databases of a cluster without any are read by pg_dump instead."""
    place = Place.of(scene.root, scene.name)
    control = _control(place)
    if control.get("Database cluster state") != _SHUT_DOWN:
        # An earlier attempt was killed while the server ran: taking it up once shuts it down in order.
        with opened_recovery(scene.root, scene.name):
            pass
        control = _control(place)
    if control.get("Data page checksum version", "0") == "0":
        note = "the cluster has no page checksums (initdb --data-checksums): all was read by pg_dump instead"
        return Work(Outcome((*_unreadable(scene, progress),), (note,), {"checksums": False}))
    progress.begin("page checksums")
    with place.held():
        done = _run(place, "pg_checksums", "--check", "--pgdata", str(place.folder / "data"))
    counted = {name.lower(): int(number) for name, number in _COUNTED.findall(done.stdout.decode(errors="replace"))}
    facts: dict[str, Fact] = {"checksums": True, **counted}
    bad = [
        blames_backup(f"page {block} of {_relative(file, place)} does not fit its checksum")
        for file, block in _BAD.findall(done.stderr)
    ]
    if done.status and not bad:
        bad = [blames_backup(f"pg_checksums failed: {' / '.join(done.stderr.strip().splitlines()[-3:])}")]
    progress.end(f"{counted.get('blocks scanned', 0)} pages, {len(bad)} damaged")
    return Work(Outcome(capped(bad, "damaged pages"), facts=facts))


def _unreadable(scene: Scene, progress: Progress) -> Iterator[Finding]:
    """Every row, long values too, as pg_dump reads them; what it reads goes nowhere."""
    folder = _programs(Place.of(scene.root, scene.name))
    recovery = scene.recovery
    for name in databases_of(recovery.target):
        target = recovery.target.with_database(name)
        argv = (str(folder / "pg_dump"), "--format=plain", "--no-password", "--no-sync")
        progress.begin(f"read {name}")
        try:
            for piece in stream(Command(argv, base_environment() | target.environment())):
                progress.advance(len(piece))
        except ChildFailed as error:
            yield blames_backup(f"database {name}: cannot be read: {without_quotes(error.message)}")
        progress.end()


def _control(place: Place) -> dict[str, str]:
    """What the cluster says of itself; raises DrillError where nothing has been recovered."""
    if not (place.folder / "data" / "PG_VERSION").exists():
        raise DrillError(
            f"recovery environment {place.name}: nothing has been recovered into it",
            hint="Run the task that recovers to the instant again.",
        )
    said = _run(place, "pg_controldata", str(place.folder / "data")).require().stdout.decode(errors="replace")
    pairs = (line.partition(":") for line in said.splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}


def _programs(place: Place) -> Path:
    made = read_made(place)
    if made is None or made.programs is None:
        raise DrillError(f"recovery environment {place.name}: was never finished", hint="Start the drill anew.")
    return Path(made.programs)


def _run(place: Place, program: str, *arguments: str) -> Finished:
    folder = _programs(place)
    privileges = place.account.privileges(folder, place.folder)
    return run(Command((str(folder / program), *arguments), base_environment(), privileges=privileges))


def _relative(file: str, place: Place) -> str:
    return file.removeprefix(f"{place.folder / 'data'}/")
