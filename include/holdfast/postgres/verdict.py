"""The strict verdict on a restore: everything that pg_restore said is classified, and what is not fails it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from holdfast.errors import RestoreError
from holdfast.postgres.complaints import HINTS, Kind, classify, is_set_up
from holdfast.postgres.restore_log import Log, Message, read_log
from holdfast.redaction import redact

_SHOWN = 3
_DETAILS = re.compile(r"\n(?:DETAIL|CONTEXT|STATEMENT):.*", re.DOTALL)


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
        """The findings that do not, each once: every session of a restore repeats some."""
        return tuple(dict.fromkeys(each for each in self.findings if each.kind in (Kind.BENIGN, Kind.SUPPORTING)))

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


def judge(
    voices: Sequence[str],
    status: int,
    *,
    supporting: frozenset[int] = frozenset(),
    was_cut: bool = False,
    secrets: Sequence[str] = (),
) -> Verdict:
    """Judge a pg_restore --verbose of that exit status by what each of its processes wrote, the leader first.

    Errors in ``supporting`` entries (dump ids that came along with chosen tables) are only warnings.
    ``was_cut`` says that not everything is known. ``secrets`` are masked in what the findings quote.
    """
    logs = [read_log(voice) for voice in voices]
    findings = [_finding(message, supporting, secrets) for log in logs for message in log.messages]
    return Verdict((*findings, *_contradictions(logs, status, was_cut)))


def _finding(message: Message, supporting: frozenset[int], secrets: Sequence[str]) -> Finding:
    kind, reason = classify(message)
    if kind in _FORGIVABLE and message.dump_id in supporting:
        kind, reason = Kind.SUPPORTING, f"only comes along with the chosen tables; {reason}"
    where = (None, None) if is_set_up(message) else (message.dump_id, message.entry)
    return Finding(kind, _shown(message.text, secrets), reason, *where)


_FORGIVABLE = frozenset(Kind) - {Kind.BENIGN, Kind.CONNECTION_LOST, Kind.OUT_OF_SPACE}


def _contradictions(logs: Sequence[Log], status: int, was_cut: bool) -> Iterator[Finding]:
    """What does not fit together. pg_restore counts the errors it went on after: so none can be overlooked."""
    ignored = [log.ignored for log in logs if log.ignored is not None]
    least, most = _countable(logs)
    if was_cut:
        yield _unexplained("it said more than could be kept", "not everything it said was classified")
    if status < 0:
        yield _unexplained(f"it was ended by signal {-status}", "the restore is not complete")
    elif status > 1:
        yield _unexplained(f"it ended with exit status {status}", "pg_restore knows only 0 and 1")
    elif status == 1 and not ignored:
        yield _unexplained("it gave up", "the restore is not complete")
    elif not least <= sum(ignored) <= most:
        yield _unexplained(f"it counts {sum(ignored)} errors, {least} were found", "one was overlooked")


def _countable(logs: Sequence[Log]) -> tuple[int, int]:
    """How many errors pg_restore must have counted, at least and at most.

    The leader counts its own. Of a worker's it counts those of an entry, and the entry once more, but not
    those of the worker's own set-up, which it ascribes to the entry that the leader was at (source:
    pg_backup_archiver.c, mark_restore_job_done).
    """
    leader, *workers = logs or [Log((), None)]
    of_entries = [error for log in workers for error in log.errors if not is_set_up(error)]
    entries = {error.dump_id for error in of_entries}
    least = len(leader.errors) + len(of_entries)
    return least, least + len(entries)


def _unexplained(message: str, reason: str) -> Finding:
    return Finding(Kind.UNCLASSIFIED, message, reason)


def _shown(text: str, secrets: Sequence[str], limit: int = 300) -> str:
    """One line without the server's details, which may quote rows of the application."""
    line = re.sub(r"\s+", " ", redact(_DETAILS.sub("", text), secrets)).strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"
