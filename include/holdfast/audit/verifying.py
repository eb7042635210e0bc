"""Verifies the audit trail: nothing removed, altered, added from elsewhere, or cut off behind what was noted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from holdfast.audit.checking import Checker, Problem, read_with_signature
from holdfast.audit.records import Anchor, digest
from holdfast.audit.trail import Listed, Trail, is_month
from holdfast.environment import Environment

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class TrailReport:
    """``records`` are counted; ``unsigned`` of them bear no signature, and the last ``unsealed`` have no signed one
    behind them either. ``head``: the newest record, to be noted down; None where there is no record.
    """

    records: int
    unsigned: int
    unsealed: int
    head: Anchor | None
    problems: tuple[Problem, ...]

    @property
    def is_whole(self) -> bool:
        """Was nothing removed or altered?"""
        return not self.problems

    def as_json(self) -> dict[str, object]:
        """The report as an object of plain values."""
        return {
            "ok": self.is_whole,
            "records": self.records,
            "unsigned": self.unsigned,
            "unsealed": self.unsealed,
            "anchor": str(self.head) if self.head is not None else None,
            "problems": [problem.as_json() for problem in self.problems],
        }


def verify_trail(environment: Environment, *anchors: Anchor | None) -> TrailReport:
    """Read every record of the environment; ``anchors`` are some that were noted, and that must still stand.

    Without it, records that were removed from the end cannot be missed. Raises UsageError where no key is at hand that
    checks signatures, and StoreError where the store cannot be read.
    """
    trail = Trail(environment)
    checker = Checker(trail, environment.verifier())
    months = trail.months()
    folders = [trail.listed(month) for month in months if is_month(month)]
    found: dict[int, str] = {}
    for month, number, document, signature in _read(trail, folders):
        checker.check(month, number, document, signature)
        if document is not None:
            found[number] = digest(document)
    problems = [*checker.problems, *_strangers(trail, months, folders, checker)]
    noted = dict.fromkeys(anchor for anchor in anchors if anchor is not None)
    problems += [
        _not_as_noted(environment, anchor, found.get(anchor.number))
        for anchor in noted
        if found.get(anchor.number) != anchor.sha256
    ]
    head = checker.before
    return TrailReport(
        checker.checked,
        checker.unsigned,
        checker.unsealed,
        Anchor(head.number, head.sha256) if head is not None else None,
        tuple(problems),
    )


def advance(environment: Environment, anchor: Anchor | None) -> tuple[Anchor | None, str | None]:
    """(the newest record, what is wrong or None), looking only at what came since ``anchor``, and at its own record.

    Without an anchor the whole trail is read, once. Where something is wrong, the anchor stays where it was, so that
    it is told again. Raises as ``verify_trail``.
    """
    if anchor is None:
        report = verify_trail(environment)
        return (report.head, None) if report.is_whole else (None, _told(report.problems))
    trail = Trail(environment)
    newer = list(_since(trail, anchor.number))
    checker = Checker(trail, environment.verifier())
    read = _read(trail, newer)
    first = next(read, None)
    if first is None or first[1] != anchor.number or first[2] is None:
        return anchor, _told([_not_as_noted(environment, anchor, None)])
    checker.check(*first)
    checker.problems.clear()  # what came before the anchor is not known here, and was checked when it was noted
    assert checker.before is not None
    if checker.before.sha256 != anchor.sha256:
        return anchor, _told([_not_as_noted(environment, anchor, checker.before.sha256)])
    for each in read:
        checker.check(*each)
    if checker.problems:
        return anchor, _told(checker.problems)
    return Anchor(checker.before.number, checker.before.sha256), None


def _since(trail: Trail, number: int) -> Iterator[Listed]:
    """What lies in the folders from that of record ``number`` on, the oldest first."""
    found: list[Listed] = []
    for month in reversed(trail.months()):
        if not is_month(month):
            continue
        found.append(trail.listed(month, since=number))
        if number in found[-1].records:
            break
    return reversed(found)


def _read(trail: Trail, folders: Iterable[Listed]) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
    """Every record in the order of its number, with its signature; several are read at once."""
    places = sorted((number, folder.month) for folder in folders for number in folder.records)
    with ThreadPoolExecutor(_AT_ONCE) as threads:
        found = threads.map(lambda place: read_with_signature(trail, place[1], place[0]), places)
        for (number, month), (document, signature) in zip(places, found, strict=True):
            yield month, number, document, signature


def _strangers(trail: Trail, months: Iterable[str], folders: Iterable[Listed], checker: Checker) -> Iterator[Problem]:
    audit = trail.environment.keys.audit
    for month in months:
        if not is_month(month):
            yield Problem("stranger", None, f"{audit}{month}/: no folder of the audit trail")
    newest = checker.before.number if checker.before is not None else 0
    for folder in folders:
        for key in folder.strangers:
            yield Problem("stranger", None, f"{key}: no object of the audit trail")
        # Whoever was killed, or came second, may have left a signature of the record that comes next.
        for number in sorted({number for number, _ in folder.signatures if number > newest + 1}):
            yield Problem("removed", number, f"{audit}{folder.month}/: record {number} is gone, its signature stands")


def _not_as_noted(environment: Environment, anchor: Anchor, found: str | None) -> Problem:
    audit = environment.keys.audit
    if found is None:
        return Problem(
            "removed", anchor.number, f"{audit}: record {anchor.number} was noted down, and is not there any more"
        )
    return Problem(
        "altered",
        anchor.number,
        f"{audit}: record {anchor.number} is not the one that was noted down: {found[:12]}… "
        f"instead of {anchor.sha256[:12]}…",
    )


def _told(problems: Iterable[Problem]) -> str:
    texts = [problem.text for problem in problems]
    return texts[0] if len(texts) == 1 else f"{texts[0]}; and {len(texts) - 1} more"
