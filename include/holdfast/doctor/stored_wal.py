"""Doctor's look at the WAL in the store: whether it is the server's, and how far behind it."""

from __future__ import annotations

from datetime import datetime

from holdfast.catalog.wal import WalPiece
from holdfast.environment import Environment
from holdfast.postgres.session import Session
from holdfast.values import figures
from holdfast.values.check import Check
from holdfast.values.lsn import Lsn
from holdfast.values.wal_names import WalSegment
from holdfast.wal.server import WalSource, demand_identity, read_source


def look(environment: Environment, session: Session) -> Check | str:
    """How old the newest stored WAL is, against the RPO, unless nothing was written since."""
    source = read_source(session)
    pieces = [piece for piece in environment.wal_catalog.pieces() if piece.is_stored]
    known = {piece.system_identifier for piece in pieces}
    demand_identity(source, known, environment.policy.database.system_identifier, environment.title)
    newest, end = _newest([piece for piece in pieces if piece.system_identifier == source.system_identifier], source)
    if newest is None:
        hint = "`holdfast wal stream POLICY ENV` begins; then `holdfast base-backup` makes it recoverable."
        return Check("stored WAL", "warning", "none yet of this cluster", hint)
    age_s = max(0.0, (environment.clock() - newest).total_seconds())
    if end is not None and end >= source.flush_lsn:
        return f"all that the server has written, up to {end}"
    reached = f"up to {end}" if end is not None else "of earlier timelines only"
    text = f"{reached}, stored {figures.seconds(age_s)} ago; the server is at {source.flush_lsn}"
    rpo = environment.policy.targets.rpo
    if rpo is not None and age_s > rpo.as_seconds:
        hint = "Does the DAG `wal`, or `holdfast wal stream`, run? What the store lacks is lost with the server."
        return Check("stored WAL", "failed", f"{text}: more than the RPO of {rpo}", hint)
    return text


def _newest(pieces: list[WalPiece], source: WalSource) -> tuple[datetime | None, Lsn | None]:
    """When the store received the last WAL, and up to where it reaches on the server's timeline."""
    stored = [piece for piece in pieces if piece.kind != "history"]
    ends = []
    for piece in stored:
        if piece.timeline == source.timeline:
            segment = WalSegment.parse(piece.file, source.segment_bytes)
            ends.append(segment.end if piece.end is None else segment.start + piece.end)
    moments = [piece.stored.modified_at for piece in stored if piece.stored is not None]
    return max(moments, default=None), max(ends, default=None)
