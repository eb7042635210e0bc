"""Every error that Holdfast raises on purpose: permanent ones are never retried, transient ones may be."""

from __future__ import annotations

from holdfast.redaction import redact


class HoldfastError(Exception):
    """Root of all deliberate errors.

    ``message`` is lower case without a full stop: what, which, why. ``hint`` is a full sentence that
    says what to do next. Neither may hold a secret; what slips in is masked here, for messages are also stored:
    in evidence, in findings, in the watch's records.
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = redact(message)
        self.hint = redact(hint) if hint else hint
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[HoldfastError], message: str, hint: str | None) -> HoldfastError:
    return kind(message, hint=hint)


class PermanentError(HoldfastError):
    """Trying again cannot help: a person or another input is needed."""


class TransientError(HoldfastError):
    """Trying again later may help: a connection lost, a server busy, a disk full."""


class UsageError(PermanentError):
    """Wrong use or configuration (the CLI's exit status 2)."""


class PolicyError(UsageError):
    """A policy file that cannot be used; the message names file, field and reason."""


class InventoryError(UsageError):
    """A configuration inventory that cannot be used; the message names file, line and reason, never a value."""


class StoreError(TransientError):
    """A store did not answer as it should."""


class StoreRefused(UsageError):
    """A store said no to who asks or for where: credentials, rights, bucket, region. Asking again cannot help."""


class ObjectMissing(PermanentError):
    """A key that should be in the store is not."""


class ObjectExists(PermanentError):
    """A create-only write met an existing object; nothing was changed."""


class DecryptError(PermanentError):
    """Bytes that are not a valid, complete age file for the identities at hand."""


class NoIdentityMatch(DecryptError):
    """A well-formed age file that none of the given identities opens."""


class SignatureError(PermanentError):
    """A signature that does not fit the bytes it stands beside."""


class IntegrityError(PermanentError):
    """Stored bytes that differ from what was recorded of them."""


class DatabaseError(PermanentError):
    """PostgreSQL refused, and would refuse again."""


class DatabaseUnavailable(TransientError):
    """PostgreSQL could not be reached, or ended the session."""


class ToolError(PermanentError):
    """A program that was run (pg_dump, pg_restore, …) failed; the message carries what it said."""


class RestoreError(PermanentError):
    """A restore that did not reproduce what the manifest promises."""


class DrillError(PermanentError):
    """A drill's own surroundings are not as it needs them: nothing is said about the backup."""


class ApprovalError(PermanentError):
    """Nobody who may has agreed to exactly this, or not in time."""
