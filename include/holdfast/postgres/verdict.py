"""The strict verdict on a restore: everything that pg_restore said is classified, and what is not fails it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from holdfast.errors import RestoreError
from holdfast.postgres.complaints import HINTS, Kind, classify
from holdfast.postgres.restore_log import Message, read_log

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning: what kind it is and why, and the archive entry it came from."""

    kind: Kind
    message: str
    reason: str
    dump_id: int | None = None
    entry: str | None = None

    def __str__(self) -> str:
        where = f"{self.entry}: " if self.entry else ""
        return f"{where}{self.message} ({self.kind.value}: {self.reason})"


@dataclass(frozen=True, slots=True)
class Verdict:
    """All findings of one restore."""

    findings: tuple[Finding, ...]

    @property
    def failures(self) -> tuple[Finding, ...]:
        """The findings that make it a failed restore."""
        return tuple(each for each in self.findings if each.kind not in (Kind.BENIGN, Kind.SUPPORTING))

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The findings that do not."""
        return tuple(each for each in self.findings if each.kind in (Kind.BENIGN, Kind.SUPPORTING))

    @property
    def passed(self) -> bool:
        """Is nothing left that speaks against the restore?"""
        return not self.failures

    def require(self) -> None:
        """Raises RestoreError naming the first failures when there are any."""
        failures = self.failures
        if not failures:
            return
        more = f" and {len(failures) - _SHOWN} more" if len(failures) > _SHOWN else ""
        shown = "; ".join(str(failure) for failure in failures[:_SHOWN])
        raise RestoreError(f"pg_restore: {shown}{more}", hint=HINTS.get(failures[0].kind))


def judge(stderr: str, status: int, *, supporting: frozenset[int] = frozenset(), was_cut: bool = False) -> Verdict:
    """Judge what a pg_restore of that exit status wrote to stderr.

    Errors in ``supporting`` entries (dump ids that came along with chosen tables) are only warnings.
    ``was_cut`` says that not all of stderr is known. pg_restore counts the errors that it went on after:
    its number must be that of the errors found here, so that none is overlooked.
    """
    log = read_log(stderr)
    findings = [_finding(message, supporting) for message in log.messages]
    return Verdict((*findings, *_contradictions(log.messages, log.ignored, status, was_cut)))


def _finding(message: Message, supporting: frozenset[int]) -> Finding:
    kind, reason = classify(message)
    if kind is not Kind.BENIGN and message.dump_id in supporting and kind in _FORGIVABLE:
        kind, reason = Kind.SUPPORTING, f"only comes along with the chosen tables; {reason}"
    return Finding(kind, _one_line(message.text), reason, message.dump_id, message.entry)


_FORGIVABLE = frozenset(Kind) - {Kind.CONNECTION_LOST, Kind.OUT_OF_SPACE}


def _contradictions(
    messages: tuple[Message, ...], ignored: int | None, status: int, was_cut: bool
) -> Iterator[Finding]:
    errors = sum(message.is_error for message in messages)
    if was_cut:
        yield _unexplained("it said more than could be kept", "not everything it said was classified")
    if status < 0:
        yield _unexplained(f"it was ended by signal {-status}", "the restore is not complete")
    elif status > 1:
        yield _unexplained(f"it ended with exit status {status}", "pg_restore knows only 0 and 1")
    elif (ignored or 0) != errors and (status == 0 or ignored is not None):
        yield _unexplained(f"it counts {ignored or 0} errors, {errors} were found", "one was overlooked")
    elif status == 1 and ignored is None:
        yield _unexplained("it gave up", "the restore is not complete")


def _unexplained(message: str, reason: str) -> Finding:
    return Finding(Kind.UNCLASSIFIED, message, reason)


def _one_line(text: str, limit: int = 300) -> str:
    line = re.sub(r"\s+", " ", text).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"
