"""Doctor's look at the keys: a backup that nobody can open must be found out today."""

from __future__ import annotations

import secrets

from holdfast.environment import Environment
from holdfast.values.check import Check


def recipients(environment: Environment) -> Check | str:
    """How many can open the backups; a single one is a single thing to lose."""
    found = environment.recipients()
    if len(found) == 1:
        return Check(
            "recipients",
            "warning",
            "1 recipient",
            "Add an offline recovery recipient: if this identity is lost, every backup is.",
        )
    return f"{len(found)} recipients"


def identity(environment: Environment) -> Check | str:
    """Whether the identity opens what is encrypted to the policy's recipients."""
    identities = environment.identities()
    if identities is None:
        return Check(
            "identity",
            "warning",
            "no identity_file: backups are checked by size and hash alone here",
            "Set keys.identity_file on the host that verifies and restores.",
        )
    if not environment.identities_fit(identities):
        return Check(
            "identity",
            "failed",
            "the identity opens nothing that is encrypted to the policy's recipients",
            "keys.identity_file and keys.recipients belong to different keys: correct one of them.",
        )
    return "it opens what is encrypted to the policy's recipients"


def signing(environment: Environment) -> Check | str:
    """Whether what is signed here is accepted by the key that manifests are checked with."""
    probe = secrets.token_bytes(32)
    verifier = environment.verifier()
    if environment.policy.keys.signing_key_file is None:
        return Check(
            "signing",
            "warning",
            "no signing_key_file: no backup can be taken here",
            "Backups need keys.signing_key_file.",
        )
    verifier.verify(probe, environment.signer().sign(probe))
    return "signatures made here are accepted"
