"""The steps that recover: a recovery environment without a cluster of its own, and the replay up to the instant."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from holdfast.catalog.windows import read_coverage
from holdfast.drill.outcome import Outcome, blames_backup
from holdfast.drill.scene import Scene, Work
from holdfast.errors import ObjectMissing
from holdfast.manifest.evidence import Fact, Finding
from holdfast.manifest.pitr import PitrTried, Replayed
from holdfast.pitr.destination import Destination
from holdfast.pitr.planning import RecoveryPlan, plan
from holdfast.pitr.programs import Programs, programs_for
from holdfast.pitr.recovering import recover
from holdfast.pitr.report import Recovered
from holdfast.pitr.settings import preloadable, quoted
from holdfast.pitr.target import Target
from holdfast.progress import Progress
from holdfast.recovery import is_cut_off, prepare_recovery
from holdfast.recovery.clearing import remove_tree
from holdfast.recovery.orphans import end_all_in
from holdfast.recovery.place import Place

# The source's own settings speak of folders, libraries and programs that are not here.
_CONFIGURATION = {
    "postgresql.auto.conf": "",
    "pg_hba.conf": "local all all trust\n",
    "pg_ident.conf": "",
}


def make_environment(scene: Scene, progress: Progress) -> Work:
    """Make the folder of the recovery environment; the base backup brings the cluster."""
    base, tried = scene.base, scene.opened.instant
    progress.begin("recovery environment")
    gone = prepare_recovery(
        scene.root,
        scene.name,
        source_major=base.server_version_num // 10000,
        database=tried.database or "postgres",
        now=scene.environment.clock(),
        is_owned=scene.is_whole,
        superuser=base.superuser,
    )
    progress.end(base.server_version)
    notes = [f"removed what a dead run had left: {name}" for name in gone]
    if not is_cut_off():
        notes.append("the recovered server could use this host's network: its kernel gives no namespaces")
    return Work(Outcome(notes=tuple(notes), facts={"source": base.server_version, "thrown away afterwards": True}))


def recover_to_instant(scene: Scene, progress: Progress) -> Work:
    """Fetch and verify the base backup, replay WAL up to the instant, promote; from the start when done again."""
    tried, place = scene.opened.instant, Place.of(scene.root, scene.name)
    planned = _plan(scene, tried)
    data = place.folder / "data"
    with place.held():
        end_all_in([data])
        remove_tree(data)
        place.account.make_folder(data)
        recovered = recover(scene.environment, planned, data, progress=progress)
        _configure(Destination(data, place.account), programs_for(planned.major, with_combine=False))
    done = _replayed(recovered)
    facts: dict[str, Fact] = {
        "instant": tried.instant.isoformat(),
        "reached time": done.reached_time.isoformat() if done.reached_time is not None else None,
        "reached LSN": done.reached_lsn,
        "timeline": done.timeline,
        "base backup": done.base_backup,
        "base seconds": done.base_seconds,
        "replay seconds": done.replay_seconds,
        "waited seconds": done.waited_seconds,
        "WAL bytes": done.wal_bytes,
        "replayed MB per second": round((done.bytes_per_second or 0) / 1e6, 1),
    }
    notes = (*planned.notes, *recovered.notes)
    return Work(Outcome(tuple(_misplaced(tried, done)), notes, facts), replayed=done)


def _plan(scene: Scene, tried: PitrTried) -> RecoveryPlan:
    """The way that was chosen when the drill was opened; raises ObjectMissing where its base backup cannot be used."""
    environment = scene.environment
    coverage = read_coverage(environment.wal_catalog, environment.base_catalog, environment.verifier())
    own = tuple(each for each in coverage.windows if each.base_backup == tried.base_backup)
    if not own:
        said = next((fault for fault in coverage.faults if tried.base_backup in fault), "it or its WAL is gone")
        raise ObjectMissing(f"base backup {tried.base_backup}: cannot be used any more: {said}")
    # A failover since then may have made that timeline a part of its successor's window.
    is_led_to = any(each.timeline == tried.timeline for each in own)
    return plan(
        replace(coverage, windows=own),
        Target("time", time=tried.instant),
        timeline=tried.timeline if is_led_to else None,
        system_identifier=tried.system_identifier,
    )


def _replayed(found: Recovered) -> Replayed:
    number, at = found.marker if found.marker is not None else (None, None)
    return Replayed(
        reached_time=found.reached_time,
        reached_lsn=found.reached_lsn,
        timeline=found.timeline,
        base_backup=found.base_backup,
        seconds=round(found.seconds, 3),
        base_seconds=round(found.base_seconds, 3),
        replay_seconds=round(found.replay_seconds, 3),
        wal_bytes=found.wal_bytes,
        waited_seconds=round(found.waited_seconds, 3),
        marker=number,
        marker_at=moment(at),
    )


def _misplaced(tried: PitrTried, done: Replayed) -> list[Finding]:
    """The server stops at the target or not at all; this asks whether it was the right one."""
    found = []
    if done.reached_time is not None and done.reached_time > tried.instant:
        found.append(
            blames_backup(
                f"replayed up to {done.reached_time.isoformat()}, later than the instant {tried.instant.isoformat()}"
            )
        )
    if done.base_backup != tried.base_backup:
        found.append(blames_backup(f"recovered from base backup {done.base_backup}, not from {tried.base_backup}"))
    return found


def moment(text: str | None) -> datetime | None:
    """The time that a marker says it was written at; None where it is none with an offset."""
    try:
        found = datetime.fromisoformat(text) if text is not None else None
    except ValueError:
        return None
    return found if found is None or found.tzinfo is not None else None


def _configure(data: Destination, programs: Programs) -> None:
    """In this copy alone, which is thrown away. Of libraries it keeps those that are installed here."""
    libraries, _ = preloadable(data, programs)
    # Its jobs are for the live cluster to run.
    main = f"shared_preload_libraries = {quoted(libraries)}\ncron.launch_active_jobs = off\n"
    for name, text in ({"postgresql.conf": main} | _CONFIGURATION).items():
        remove_tree(data.path / name)
        data.account.write_secret(data.path / name, text)
