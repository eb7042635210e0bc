"""Extracts the tar of a base backup while it streams: plain files and folders, nowhere but in their directory."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

from holdfast.errors import IntegrityError
from holdfast.recovery.account import Account

_BLOCK = 512
_REGULAR, _FOLDER = b"0\0", b"5"
_LARGE = 0x80
_PLAIN = re.compile(r"[^/\0]+(/[^/\0]+)*")


class Extraction:
    """Writes the members of a ustar stream below ``folder``, as files of ``account``, closed to others.

    pg_basebackup writes none but regular files and folders with relative names; anything else is refused. Nothing
    leads out of the folder, for no link is ever made in it.
    """

    def __init__(self, folder: Path, account: Account, advance: Callable[[int], None]) -> None:
        self.files = 0
        self._folder = folder
        self._account = account
        self._advance = advance
        self._made = {""}
        self._header = bytearray()
        self._file: int | None = None
        self._content = 0  # bytes of the present member that are still to come
        self._padding = 0
        self._has_ended = False

    def take(self, pieces: Iterable[bytes]) -> None:
        """Extract it to its end. Raises IntegrityError where it is cut off or no such tar, and OSError."""
        try:
            for piece in pieces:
                self._take(memoryview(piece))
                self._advance(len(piece))
        finally:
            self._close()
        if not self._has_ended:
            raise IntegrityError("base backup: its tar is cut off")

    def _take(self, piece: memoryview) -> None:
        while piece and not self._has_ended:
            if self._content:
                part, piece = piece[: self._content], piece[self._content :]
                self._write(part)
            elif self._padding:
                skipped = min(self._padding, len(piece))
                piece = piece[skipped:]
                self._padding -= skipped
            else:
                missing = _BLOCK - len(self._header)
                self._header += piece[:missing]
                piece = piece[missing:]
                if len(self._header) == _BLOCK:
                    self._open(bytes(self._header))
                    self._header.clear()

    def _write(self, part: memoryview) -> None:
        self._content -= len(part)
        if self._file is not None:
            while part:
                part = part[os.write(self._file, part) :]
        if not self._content:
            self._close()

    def _open(self, header: bytes) -> None:
        if not any(header):
            self._has_ended = True
            return
        name, kind, size = _read(header)
        if kind == _FOLDER:
            self._make_folder(name)
        elif kind and kind in _REGULAR:
            self._make_folder(name.rpartition("/")[0])
            self._file = self._made_file(name)
            self._give(self._file)
            self.files += 1
        else:
            raise IntegrityError(
                f"base backup: {name} is neither a file nor a folder",
                hint="Tablespaces beside the data directory cannot be recovered by this version.",
            )
        self._content, self._padding = size, -size % _BLOCK
        if not size:
            self._close()

    def _made_file(self, name: str) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open(self._folder / name, flags, 0o600)
        except FileExistsError as error:
            raise IntegrityError(f"base backup: it holds {name} twice") from error

    def _make_folder(self, name: str) -> None:
        if name in self._made:
            return
        self._make_folder(name.rpartition("/")[0])
        path = self._folder / name
        path.mkdir(mode=0o700, exist_ok=True)
        if self._account.name is not None:
            os.chown(path, self._account.uid, self._account.gid, follow_symlinks=False)
        self._made.add(name)

    def _give(self, file: int) -> None:
        if self._account.name is not None:
            os.fchown(file, self._account.uid, self._account.gid)

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _read(header: bytes) -> tuple[str, bytes, int]:
    """(name, kind, size in bytes) of a member (POSIX, "ustar Interchange Format")."""
    if header[257:262] != b"ustar" or _sum(header) != _number(header[148:156]):
        raise IntegrityError("base backup: it holds no tar as pg_basebackup writes it")
    text = _text(header[:100])
    if header[345]:
        text = f"{_text(header[345:500])}/{text}"
    name = text.removeprefix("./").rstrip("/")
    if name != "." and (not _PLAIN.fullmatch(name) or ".." in name.split("/")):
        raise IntegrityError(f"base backup: a member is named {text!r}, which leads out of the data directory")
    return ("" if name == "." else name), header[156:157], _number(header[124:136])


def _sum(header: bytes) -> int:
    """The checksum's own bytes count as spaces."""
    return sum(header) - sum(header[148:156]) + 8 * ord(" ")


def _text(field: bytes) -> str:
    return os.fsdecode(field.partition(b"\0")[0])


def _number(field: bytes) -> int:
    """Octal digits, or where those do not suffice a binary number behind a set first bit."""
    if field[0] & _LARGE:
        return int.from_bytes(field[1:], "big")
    try:
        return int(field.strip(b" \0") or b"0", 8)
    except ValueError as error:
        raise IntegrityError("base backup: it holds no tar as pg_basebackup writes it") from error
