"""What is said to people, made fit for every way there, and the error for what did not arrive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from holdfast.errors import TransientError
from holdfast.redaction import redact
from holdfast.values.visible import visible

MessageKind = Literal["page", "notify", "resolved", "test"]

_TITLE_SIGNS = 200
_BODY_SIGNS = 6000
_CUT = "\n… (cut here: `holdfast status` shows all of it)"


@dataclass(frozen=True, slots=True)
class Message:
    """Plain text for people. ``thread``: what it is about, the same from the first word to the last about one cause.

    Services that keep incidents (PagerDuty) open and close them by the thread.
    """

    title: str
    body: str
    kind: MessageKind
    thread: str | None = None

    def fitted(self) -> Message:
        """Title on one line, no control characters (a title becomes a header of an e-mail), no more than is read."""
        title = redact(" ".join(self.title.split()))
        title = title if len(title) <= _TITLE_SIGNS else title[: _TITLE_SIGNS - 1] + "…"
        # Before it is cut: half a secret is not recognised.
        body = redact(self.body)
        body = body if len(body) <= _BODY_SIGNS else body[: _BODY_SIGNS - len(_CUT)] + _CUT
        lines = (visible(line).rstrip() for line in body.splitlines())
        return Message(visible(title), "\n".join(lines), self.kind, self.thread)


class DeliveryError(TransientError):
    """A message did not reach every address that it was for.

    ``delivered`` and ``failed`` are addresses by service and number, such as ``Slack`` or ``JSON 2``: never their
    URLs, which hold tokens. ``failed`` is empty where there is no address at all.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        delivered: tuple[str, ...] = (),
        failed: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message, hint=hint)
        self.delivered = delivered
        self.failed = failed
