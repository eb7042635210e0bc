"""What evidence of a recovery to an instant adds up to, in the words that report, gate and terminal share."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence.figures import is_only_late, moment
from holdfast.manifest.evidence import Evidence
from holdfast.manifest.pitr import PitrTried, Replayed
from holdfast.values import figures


def precise(evidence: Evidence) -> str:
    """The instant that was recovered to, with its fraction of a second."""
    return evidence.pitr.instant.isoformat() if evidence.pitr is not None else "an unknown instant"


def meaning(evidence: Evidence) -> str:
    """What the verdict says of the base backup and its WAL."""
    where = f"the cluster to {precise(evidence)}"
    if evidence.verdict == "passed":
        return f"Base backup and WAL brought {where}: replayed for real, started, checked and compared."
    if any(finding.about == "backup" for finding in evidence.findings):
        return f"It is not proven that base backup and WAL bring {where}: they are to blame, or may be."
    if is_only_late(evidence):
        return f"Base backup and WAL brought {where}, but over the recovery time objective."
    return (
        f"It is not proven that base backup and WAL bring {where}. The drill's own surroundings are to blame, which "
        "says nothing against them."
    )


def expected_marker(tried: PitrTried | None) -> str:
    """Which markers may be found: ``42``, ``41 to 42``, ``41 or later``."""
    first = tried.marker if tried is not None else None
    if tried is None or first is None:
        return "none known"
    if tried.next_marker is None:
        return f"{first.number} or later"
    last = tried.next_marker.number - 1
    return str(first.number) if last == first.number else f"{first.number} to {last}"


def found_marker(replayed: Replayed | None) -> str:
    """The marker that the recovered cluster holds."""
    return str(replayed.marker) if replayed is not None and replayed.marker is not None else "none"


def rate(replayed: Replayed) -> str:
    """WAL replayed in a second: ``41.3 MB/s``."""
    found = replayed.bytes_per_second
    return "no time to speak of" if found is None else f"{found / 1e6:.1f} MB/s"


def waited(replayed: Replayed) -> str:
    """How long the server stood still for want of WAL: ``1.2 %``."""
    return f"{replayed.waited_share * 100:.1f} %"


def reached(replayed: Replayed) -> str:
    """The exact point: time of the last transaction replayed, LSN, timeline."""
    when = replayed.reached_time.isoformat() if replayed.reached_time is not None else "no transaction"
    return f"{when}, {replayed.reached_lsn} on timeline {replayed.timeline}"


def figures_of(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """What was tried and how it went, line by line."""
    tried, done = evidence.pitr, evidence.replayed
    if tried is not None:
        yield "instant", f"{precise(evidence)}, {'drawn at random' if tried.is_drawn else 'as named'}"
        yield "window", _span(tried)
        yield "base backup", f"{evidence.restore_point}, ended {moment(tried.base_finished_at)}"
    if done is not None:
        yield "reached", reached(done)
        yield (
            "replay",
            f"{figures.size(done.wal_bytes)} of WAL, {rate(done)}, {waited(done)} of the time waiting for WAL",
        )
        yield "marker", f"{found_marker(done)}, expected {expected_marker(tried)}"


def _span(tried: PitrTried) -> str:
    end = moment(tried.window.ends_at) if tried.window.ends_at is not None else "no known end"
    return f"{moment(tried.window.begins_at)} to {end}, timeline {tried.window.timeline}"


def instant_faults(evidence: Evidence) -> Iterator[str]:
    """What the evidence of a recovery may not say, whoever signed it."""
    tried, done = evidence.pitr, evidence.replayed
    if tried is None:
        yield "it names no instant that was recovered to"
        return
    if tried.base_backup != evidence.restore_point:
        yield f"it speaks of the base backups {evidence.restore_point} and {tried.base_backup}"
    end = tried.window.ends_at
    if tried.instant < tried.window.begins_at or (end is not None and tried.instant > end):
        yield f"its instant {precise(evidence)} lies outside of its window"
    if evidence.verdict != "passed":
        return
    if done is None:
        yield "it says that it passed, but nothing was replayed"
        return
    if done.reached_time is not None and done.reached_time > tried.instant:
        yield f"it says that it passed, but {done.reached_time.isoformat()} was reached, later than its instant"
    if not tried.accepts(done.marker):
        yield f"it says that it passed, but with marker {found_marker(done)} instead of {expected_marker(tried)}"
