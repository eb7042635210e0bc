"""What the report of a recovery to an instant shows first: its meaning, the figures that count, what was tried."""

from __future__ import annotations

from collections.abc import Iterator

from holdfast.evidence import instants
from holdfast.evidence.figures import moment, share_of_rto
from holdfast.evidence.page import words
from holdfast.evidence.page.html import Html, joined, section, tag
from holdfast.evidence.page.overview import tile
from holdfast.manifest.evidence import Evidence
from holdfast.values import figures


def meaning(evidence: Evidence) -> Html:
    """What the verdict says of base backup and WAL."""
    return joined(instants.meaning(evidence))


def tiles(evidence: Evidence) -> Html:
    """The figures that count."""
    return tag("div", _tiles(evidence), class_="tiles")


def _tiles(evidence: Evidence) -> Iterator[Html]:
    share, tried, done = share_of_rto(evidence), evidence.pitr, evidence.replayed
    took = figures.seconds(evidence.restore_seconds) if evidence.restore_seconds is not None else "none"
    target = (
        f"of {figures.seconds(evidence.rto_seconds)} allowed (RTO)" if evidence.rto_seconds else "no RTO in the policy"
    )
    is_late = evidence.restore_seconds is None or (share is not None and share > 1)
    yield tile(took, f"recovery time, {target}", is_bad=is_late)
    if done is None:
        yield tile("none", "WAL replayed", is_bad=True)
    else:
        yield tile(instants.rate(done), f"replay rate, {figures.size(done.wal_bytes)} of WAL")
        yield tile(instants.waited(done), "of the replay waited for WAL")
        is_wrong = tried is not None and not tried.accepts(done.marker)
        said = f"marker found, expected {instants.expected_marker(tried)}"
        yield tile(instants.found_marker(done), said, is_bad=is_wrong)
    number = len(evidence.findings)
    yield tile(figures.count(number), "findings" if number != 1 else "finding", is_bad=number > 0)


def replay(evidence: Evidence) -> Html:
    """Where the recovery led, and how it went; nothing where it did not come to its end."""
    tried, done = evidence.pitr, evidence.replayed
    if done is None:
        return Html()
    rows: list[tuple[str, str]] = [
        ("Point reached", instants.reached(done)),
        ("Marker found", instants.found_marker(done)),
        ("Marker expected", instants.expected_marker(tried)),
        ("WAL replayed", f"{figures.size(done.wal_bytes)} at {instants.rate(done)}"),
        ("Waited for WAL", f"{figures.seconds(done.waited_seconds)}, {instants.waited(done)} of the replay"),
        ("Base backup fetched and verified in", figures.seconds(done.base_seconds)),
        ("Replayed in", figures.seconds(done.replay_seconds)),
        ("All together, promoted and shut down", figures.seconds(done.seconds)),
    ]
    return section("Replay", _listed(rows))


def facts(evidence: Evidence) -> Html:
    """What was tried, who asked for it and why, when."""
    around, tried = evidence.surroundings, evidence.pitr
    rows: list[tuple[str, str]] = [
        ("Instant", words.code(instants.precise(evidence))),
        ("Chosen", "drawn at random" if tried is None or tried.is_drawn else "named by who asked"),
        ("Base backup", words.code(evidence.restore_point)),
        ("Its end", moment(evidence.restore_point_taken_at)),
        ("Manifest's SHA-256", words.code(evidence.manifest_sha256)),
        ("System identifier", words.code(tried.system_identifier if tried is not None else "unknown")),
        ("Requested by", words.requester(evidence)),
        ("Reason", evidence.reason or "none given"),
        ("Run", evidence.origin),
        ("Begun", moment(evidence.opened_at)),
        ("Ended", moment(evidence.finished_at)),
        ("Source", f"PostgreSQL {evidence.source_version}"),
        ("Recovered on", f"PostgreSQL {around.server_version}" if around else "no server was ready"),
        ("Evidence", words.code(evidence.id)),
        ("Written by", f"holdfast {evidence.holdfast_version}"),
    ]
    return section("What was tried", _listed(rows))


def _listed(rows: list[tuple[str, str]]) -> Html:
    return tag("dl", (joined(tag("dt", name), tag("dd", value)) for name, value in rows))
