"""Keep what a child writes to stderr: the end of it, or each of its processes' words apart."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from typing import Protocol

_READ_BYTES = 64 << 10
_CREDENTIALS = struct.Struct("3i")


class Listener(Protocol):
    """The reading side of a child's stderr."""

    was_cut: bool

    def mouth(self) -> int:
        """The descriptor for the child; it is closed by ``hand_over`` once the child has its own."""
        ...

    def hand_over(self) -> None:
        """Close our copy of the child's end, so that its death is the end."""
        ...

    def fileno(self) -> int:
        """The descriptor to wait on."""
        ...

    def take(self) -> bool:
        """Read once; False at the end."""
        ...

    def texts(self) -> tuple[str, ...]:
        """What was kept: one text, or one per process, in the order in which they first spoke."""
        ...

    def close(self) -> None:
        """Close the reading side."""
        ...


class Tail:
    """The last bytes, cut at a line so that no half of a secret stays readable."""

    def __init__(self, limit_bytes: int) -> None:
        self.was_cut = False
        self._limit = limit_bytes
        self._kept = bytearray()
        self._ear, self._mouth = os.pipe()

    def mouth(self) -> int:
        """The pipe's writing end."""
        return self._mouth

    def hand_over(self) -> None:
        """Close the writing end."""
        os.close(self._mouth)

    def fileno(self) -> int:
        """The pipe's reading end."""
        return self._ear

    def take(self) -> bool:
        """Read once; False at the end."""
        data = os.read(self._ear, _READ_BYTES)
        self._kept += data
        if len(self._kept) > 2 * self._limit:
            self.was_cut = True
            del self._kept[: -self._limit]
            line_end = self._kept.find(b"\n")
            del self._kept[: line_end + 1 if line_end >= 0 else None]
        return bool(data)

    def texts(self) -> tuple[str, ...]:
        """The one text."""
        return (self._kept.decode(errors="replace"),)

    def close(self) -> None:
        """Close the reading end."""
        os.close(self._ear)


class Voices:
    """Every process of the child by itself, without noise.

    A program with workers lets them all write to one stderr, a piece of a line at a time, and so garbles
    its own messages. Through a socket that keeps each write whole and tells who wrote it (SO_PASSCRED,
    unix(7)) they can be taken apart. ``is_noise`` says of a line that it and its continuation are not worth
    keeping; lines that do not start with ``prefix`` continue the one before.
    """

    def __init__(self, limit_bytes: int, prefix: bytes, is_noise: Callable[[bytes], bool]) -> None:
        self.was_cut = False
        self._room = limit_bytes
        self._prefix = prefix
        self._is_noise = is_noise
        self._kept: dict[int, bytearray] = {}
        self._begun: dict[int, bytes] = {}
        self._in_noise: set[int] = set()
        self._ear, self._mouth = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ear.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)

    def mouth(self) -> int:
        """The socket's writing end."""
        return self._mouth.fileno()

    def hand_over(self) -> None:
        """Close the writing end."""
        self._mouth.close()

    def fileno(self) -> int:
        """The socket's reading end."""
        return self._ear.fileno()

    def take(self) -> bool:
        """Read one write of one process; False at the end."""
        data, notes, _, _ = self._ear.recvmsg(_READ_BYTES, socket.CMSG_SPACE(_CREDENTIALS.size))
        if not data:
            return False
        pid = next((_CREDENTIALS.unpack(note)[0] for _, kind, note in notes if kind == socket.SCM_CREDENTIALS), 0)
        self._kept.setdefault(pid, bytearray())
        *lines, rest = (self._begun.pop(pid, b"") + data).split(b"\n")
        for line in lines:
            self._keep(pid, line + b"\n")
        if rest:
            self._begun[pid] = rest
        return True

    def texts(self) -> tuple[str, ...]:
        """One text per process."""
        for pid, rest in tuple(self._begun.items()):
            self._keep(pid, rest)
        self._begun.clear()
        return tuple(text.decode(errors="replace") for text in self._kept.values())

    def close(self) -> None:
        """Close the reading end."""
        self._ear.close()

    def _keep(self, pid: int, line: bytes) -> None:
        if line.startswith(self._prefix):
            (self._in_noise.add if self._is_noise(line) else self._in_noise.discard)(pid)
        if pid in self._in_noise:
            return
        if len(line) > self._room:
            self.was_cut = True
            return
        self._room -= len(line)
        self._kept[pid] += line
