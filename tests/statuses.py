"""Makes what a streamer says of itself, by the real writer, for tests of what reads it."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from holdfast.catalog.wal_status import WalStatusCatalog, status_name
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.manifest.wal import WalStatus
from holdfast.values.lsn import Lsn
from wal_factory import SYSTEM


def say_status(
    environment: Environment,
    at: datetime,
    *,
    stored: Lsn | None = None,
    behind_s: float = 0,
    lost: str | None = None,
    lost_at: datetime | None = None,
    system: str = SYSTEM,
    signer: Signer | None = None,
) -> WalStatus:
    """A streamer's word of ``at``: caught up ``behind_s`` before."""
    status = WalStatus(
        name=status_name(at, secrets.token_hex(3)),
        app=environment.app,
        environment=environment.name,
        system_identifier=system,
        host="a-host",
        at=at,
        timeline=1,
        stored_lsn=None if stored is None else str(stored),
        source_lsn=None if stored is None else str(stored),
        behind_bytes=0,
        caught_up_at=at - timedelta(seconds=behind_s),
        retained_bytes=7 << 20,
        safe_wal_bytes=9 << 20,
        wal_status="reserved",
        lost=lost,
        lost_at=lost_at,
    )
    WalStatusCatalog(environment.store, environment.keys).write(status, signer or environment.signer())
    return status
