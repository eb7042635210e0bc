"""Codes that people hold, such as those of certificates: old and new ones must be there, with links and QR pictures."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg

from holdfast.drill.checks.asking import TIMEOUT_S, asking
from holdfast.drill.checks.code_rows import MOST_PICTURE_BYTES, CodeRow, read_codes
from holdfast.drill.checks.findings import blamed, capped
from holdfast.drill.checks.links import is_link_of, told
from holdfast.drill.checks.naming import masked
from holdfast.drill.checks.pictures import Unreadable, qr_texts
from holdfast.drill.checks.refusals import refused
from holdfast.drill.outcome import Outcome, blames_backup, blames_drill
from holdfast.errors import PermanentError, UsageError
from holdfast.manifest.evidence import Finding
from holdfast.policy.drill import DrillCodes
from holdfast.postgres.conninfo import Target
from holdfast.progress import Progress, Silent
from holdfast.values import figures

_SILENT = Silent()
_TITLE = "codes"
Fetch = Callable[[Sequence[str]], None]


def check_codes(
    target: Target,
    codes: DrillCodes,
    media: Path | None,
    fetch: Fetch | None,
    progress: Progress = _SILENT,
    *,
    source: str = "",
) -> Outcome:
    """Verify the oldest and newest codes: the link is the template's, and so is what the QR picture holds.

    ``media``: the folder that media are restored into, None where they are not; ``fetch`` restores more paths into
    it. ``source``: the URL of the media in the policy, which stored paths may begin with. Findings and notes name
    no code in full. Raises DatabaseUnavailable where the server goes away.
    """
    progress.begin(_TITLE)
    found = _read(target, codes, source)
    if isinstance(found, Finding):
        progress.end("none verified")
        return Outcome((found,))
    oldest, newest = found
    checking = _Checking(codes.link, media)
    checking.fetch([*oldest, *newest], fetch)
    sound_oldest, sound_newest = (sum(map(checking.is_sound, rows)) for rows in (oldest, newest))
    progress.end(f"{sound_oldest} old and {sound_newest} new ones verified")
    return Outcome(
        capped(checking.findings, "faults of codes"),
        checking.notes,
        {
            "codes_oldest": f"{sound_oldest} of {len(oldest)}",
            "codes_newest": f"{sound_newest} of {len(newest)}",
            "codes_pictures_read": checking.pictures,
        },
    )


def _read(target: Target, codes: DrillCodes, source: str) -> tuple[list[CodeRow], list[CodeRow]] | Finding:
    """The oldest and the newest, or why there are none."""
    try:
        with asking(target) as session:
            oldest, newest = read_codes(session, codes, source)
    except psycopg.Error as error:
        return refused(error, target, _TITLE, TIMEOUT_S)
    except UsageError as error:
        return blames_drill(error.message)
    return (oldest, newest) if oldest else blames_backup(f"{_TITLE}: the policy's query yields none at all")


class _Checking:
    """Looks at each code once, though it may be among the oldest and the newest; ``pictures`` counts those read."""

    def __init__(self, template: str, media: Path | None) -> None:
        self._template, self._media = template, media
        self._seen: dict[CodeRow, bool] = {}
        self._left_out = 0
        self.findings: list[Finding] = []
        self.pictures = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What could not be looked at, for no fault of anybody's."""
        if not self._left_out:
            return ()
        return (f"{self._left_out} codes have their picture among the media, which were not restored",)

    def fetch(self, rows: Sequence[CodeRow], fetch: Fetch | None) -> None:
        """Have all pictures restored that are not there yet, in one go."""
        if self._media is None or fetch is None:
            return
        lacking = sorted({row.path for row in rows if row.path is not None and self._file(row.path) is None})
        if lacking:
            try:
                fetch(lacking)
            except PermanentError as error:
                self.findings.append(blamed(error))

    def is_sound(self, row: CodeRow) -> bool:
        """Whether nothing is wrong with it; what is wrong becomes a finding, once."""
        if row not in self._seen:
            title = f"code {masked(row.code or '')}"
            found = self._faults(row)
            self.findings += [finding.model_copy(update={"text": f"{title}: {finding.text}"}) for finding in found]
            self._seen[row] = not found
        return self._seen[row]

    def _faults(self, row: CodeRow) -> list[Finding]:
        if not row.code:
            return [blames_backup("a row without a code")]
        faults = []
        if not row.link:
            faults.append(blames_backup("it has no link"))
        elif not is_link_of(row.link, self._template, row.code):
            leads = told(row.link, row.code)
            faults.append(blames_backup(f"its link is not {self._template} but {leads}"))
        if row.path is None and row.data is None:
            return faults
        if row.path is not None and self._media is None:
            self._left_out += 1
            return faults
        try:
            texts = qr_texts(self._data(row))
            self.pictures += 1
        except Unreadable as unreadable:
            blame = blames_drill if unreadable.is_of_kind else blames_backup
            return [*faults, blame(f"its picture: {unreadable}")]
        if not any(is_link_of(text, self._template, row.code) for text in texts):
            held = told(texts[0], row.code) if len(texts) == 1 else f"{len(texts)} others"
            faults.append(blames_backup(f"the QR code of its picture does not hold its link but {held}"))
        return faults

    def _data(self, row: CodeRow) -> bytes:
        """The picture's bytes; raises Unreadable where they are not to be had."""
        if row.picture_bytes > MOST_PICTURE_BYTES:
            raise Unreadable(f"it has {figures.size(row.picture_bytes)}, too many to be a QR code", is_of_kind=True)
        if isinstance(row.data, bytes):
            return row.data
        if row.data is not None:
            return _inline(row.data)
        file = self._file(row.path or "")
        if file is None:
            raise Unreadable("its file is not among the restored media")
        size = file.stat().st_size
        if size > MOST_PICTURE_BYTES:
            raise Unreadable(f"it has {figures.size(size)}, too many to be a QR code", is_of_kind=True)
        return file.read_bytes()

    def _file(self, path: str) -> Path | None:
        """The restored file; None where there is none, or where the path leads out of the folder."""
        assert self._media is not None
        try:
            found = (self._media / path).resolve()
            return found if found.is_relative_to(self._media.resolve()) and found.is_file() else None
        except (OSError, ValueError):
            return None


def _inline(url: str) -> bytes:
    """The bytes of a data: URL."""
    head, comma, body = url.partition(",")
    try:
        if not comma or not head.endswith(";base64"):
            raise binascii.Error("not base64")
        return base64.b64decode(body)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("its data: URL is no base64") from error
