"""Opens a restore point: names it and leaves its first draft, so that a run that dies is seen to have begun."""

from __future__ import annotations

import re
from datetime import datetime

from holdfast.backup.drafts import OpenDraft
from holdfast.catalog.drafts import read_draft, replace_draft
from holdfast.crypto.signing import Signer
from holdfast.environment import Environment
from holdfast.errors import IntegrityError, SignatureError, UsageError
from holdfast.values.ids import RestorePointId

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def open_restore_point(
    environment: Environment, *, tier: str, opened_at: datetime, origin: str, label: str | None = None
) -> RestorePointId:
    """Begin a restore point; doing it again with the same arguments gives the same id and changes nothing.

    ``origin`` names what started it: a DAG run, or a random token. Fails before any work where tier,
    label, keys or store cannot be used.
    """
    environment.dump_tier(tier)
    if label is not None and not _LABEL.fullmatch(label):
        raise UsageError(
            f"label {label!r}: only letters, digits, '.', '_' and '-' may stand in it, 100 at most",
            hint="Use a label such as pre-deploy-2026.11.3.",
        )
    id = RestorePointId.make(opened_at, tier, origin)
    environment.recipients()
    signer = environment.signer()
    demand_pair(environment, signer)
    if environment.catalog.entry(id).is_committed:
        return id
    draft = OpenDraft(
        id=str(id),
        app=environment.app,
        environment=environment.name,
        tier=tier,
        label=label,
        opened_at=id.opened_at,
    )
    key = environment.keys.draft(id, "open")
    if _standing(environment, key) != draft:
        replace_draft(environment.store, key, draft, signer)
    return id


def demand_pair(environment: Environment, signer: Signer) -> None:
    """A verify key of another pair would be found out by the last step only."""
    try:
        environment.verifier().verify(b"holdfast", signer.sign(b"holdfast"))
    except SignatureError as error:
        raise UsageError(
            f"{environment.title}: keys.verify_key_file does not belong to keys.signing_key_file",
            hint="Use signing.pem and signing.pub that were made together.",
        ) from error


def _standing(environment: Environment, key: str) -> OpenDraft | None:
    try:
        return read_draft(environment.store, key, OpenDraft, environment.signer().verifier())
    except (IntegrityError, SignatureError):
        return None
