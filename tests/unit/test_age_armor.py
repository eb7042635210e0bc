"""ASCII armor is recognised by itself and read as strictly as PEM can be."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import age_builder as build
from holdfast.crypto import age
from holdfast.crypto.x25519 import X25519Identity
from holdfast.errors import DecryptError

IDENTITY = X25519Identity(build.SECRET)
FILE = build.age_file(b"hello")
ARMORED = build.armor(FILE)
FULL_LINE_FILE = build.age_file(bytes(48 - len(build.age_file(b"")) % 48))
# Two bytes in the last group of three leave two bits of its base64 unused.
UNUSED_BITS_FILE = build.age_file(bytes(2 - len(build.age_file(b"")) % 3))
BEGIN, *BODY, END, _ = ARMORED.decode().split("\n")


def opened(file: bytes, piece_bytes: int = 1 << 20) -> bytes:
    """All plaintext."""
    pieces = [file[start : start + piece_bytes] for start in range(0, len(file), piece_bytes)]
    return b"".join(age.decrypt(pieces, (IDENTITY,)))


def lines(*changed: str) -> bytes:
    """Lines with a line feed after each."""
    return "".join(line + "\n" for line in changed).encode()


GOOD = {
    "line feeds": ARMORED,
    "carriage returns": build.armor(FILE, "\r\n"),
    "no line end at the end": ARMORED[:-1],
    "white space around": b"\n\r   \t\n" + ARMORED + b"\n\r   \t\n",
    "white space after, unended": ARMORED + b"  \t ",
    "full last line": build.armor(FULL_LINE_FILE),
}


@pytest.mark.parametrize("file", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 1, 7, 65])
def test_armor_is_read(file: bytes, piece_bytes: int) -> None:
    """Whatever pieces it comes in."""
    assert opened(file, piece_bytes) in (b"hello", bytes(len(FULL_LINE_FILE) - len(build.age_file(b""))))


def test_full_last_line_is_one() -> None:
    """The case above really has no padding and no short line."""
    assert len(FULL_LINE_FILE) % 48 == 0


def not_canonical() -> bytes:
    """An unused bit of the last line is set."""
    text = build.armor(UNUSED_BITS_FILE).decode()
    before, _, after = text.partition("=\n")
    assert opened(text.encode()) is not None
    return f"{build.not_canonical(before)}=\n{after}".encode()


BAD = {
    "empty": lines(BEGIN, END),
    "begin alone": lines(BEGIN),
    "begin cut": BEGIN[:20].encode(),
    "hyphens": b"-----",
    "no end line": lines(BEGIN, *BODY),
    "end line cut": lines(BEGIN, *BODY, END[:-1]),
    "end line of another kind": lines(BEGIN, *BODY, END.replace("AGE", "PGP")),
    "begin line of another kind": lines(BEGIN.replace("AGE ENCRYPTED FILE", "MESSAGE"), *BODY, END),
    "begin line in lower case": lines(BEGIN.lower(), *BODY, END),
    "begin line with spaces": lines("----- BEGIN AGE ENCRYPTED FILE -----", *BODY, END),
    "begin line indented": lines(" " + BEGIN, *BODY, END),
    "begin line and a space": lines(BEGIN + " ", *BODY, END),
    "end line and a space": lines(BEGIN, *BODY, END + " "),
    "end line indented": lines(BEGIN, *BODY, " " + END),
    "no line end before the end line": lines(BEGIN, *BODY)[:-1] + lines(END),
    "garbage in front": b"garbage\n" + ARMORED,
    "garbage behind": ARMORED + b"garbage\n",
    "garbage behind, on the same line": ARMORED[:-1] + b"garbage\n",
    "a second armor": ARMORED + ARMORED,
    "headers": lines(BEGIN, "Headers: are not allowed", "", *BODY, END),
    "pgp checksum": lines(BEGIN, *BODY, "=AAAA", END),
    "empty line at the start": lines(BEGIN, "", *BODY, END),
    "empty line at the end": lines(BEGIN, *BODY, "", END),
    "empty line after a full last line": build.armor(FULL_LINE_FILE).replace(b"-----END", b"\n-----END"),
    "space at a line's end": lines(BEGIN, BODY[0] + " ", *BODY[1:], END),
    "space at a line's start": lines(BEGIN, " " + BODY[0], *BODY[1:], END),
    "space at the last line's end": lines(BEGIN, *BODY[:-1], BODY[-1] + " ", END),
    "two carriage returns": lines(BEGIN, BODY[0] + "\r\r", *BODY[1:], END),
    "short line in the middle": lines(BEGIN, BODY[0][:-4], BODY[0][-4:] + BODY[1][:-4], *BODY[2:], END),
    "long line": lines(BEGIN, BODY[0] + BODY[1], *BODY[2:], END),
    "long last line": lines(BEGIN, *BODY[:-2], BODY[-2] + BODY[-1], END),
    "no padding": lines(BEGIN, *BODY[:-1], BODY[-1].rstrip("="), END),
    "line end inside the padding": lines(BEGIN, *BODY[:-1], BODY[-1][:-1], BODY[-1][-1:], END),
    "padding in the middle": lines(BEGIN, BODY[0][:-1] + "=", *BODY[1:], END),
    "stray character": lines(BEGIN, "*" + BODY[0][1:], *BODY[1:], END),
    "url-safe alphabet": lines(BEGIN, "-_" + BODY[0][2:], *BODY[1:], END),
    "not ascii": ARMORED.replace(BODY[0][:1].encode(), b"\xff", 1),
    "not canonical": not_canonical(),
    "too much white space in front": b"\n" * 2000 + ARMORED,
    "endless line": lines(BEGIN) + b"A" * 100_000,
}


@pytest.mark.parametrize("file", BAD.values(), ids=BAD)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 1, 7])
def test_malformed_armor_is_refused(file: bytes, piece_bytes: int) -> None:
    """Nothing of its only chunk is released."""
    pieces = [file[start : start + piece_bytes] for start in range(0, len(file), piece_bytes)]
    with pytest.raises(DecryptError):
        next(age.decrypt(pieces, (IDENTITY,)))


WRONG_INSIDE: dict[str, Callable[[], bytes]] = {
    "carriage returns in the header": lambda: build.header(build.x25519()).replace(b"\n", b"\r\n") + build.payload(b""),
    "cut": lambda: FILE[:-1],
    "extended": lambda: FILE + b"\0",
}


@pytest.mark.parametrize("make", WRONG_INSIDE.values(), ids=WRONG_INSIDE)
def test_malformed_file_in_good_armor_is_refused(make: Callable[[], bytes]) -> None:
    """The armor neither repairs nor hides."""
    with pytest.raises(DecryptError):
        opened(build.armor(make()))


@settings(max_examples=50)
@given(st.integers(0, 200) | st.integers(65_000, 66_000) | st.integers(195_000, 200_000), st.integers(1, 200_000))
def test_armor_round_trip(size: int, piece_bytes: int) -> None:
    """Written here, read here, and the same as other code writes it."""
    data = bytes(index & 255 for index in range(size))
    file = b"".join(age.encrypt([data], [IDENTITY.recipient()]))
    armored = b"".join(age.armored([file[:50], file[50:]]))
    assert armored == build.armor(file)
    assert opened(armored, max(piece_bytes, 100)) == data
