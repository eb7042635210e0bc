"""The header is read exactly as the specification writes it, and nothing else is taken for one."""

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

import age_builder as build
from holdfast.crypto import age
from holdfast.crypto.header import MAX_HEADER_BYTES, Header
from holdfast.crypto.stanza import Stanza
from holdfast.crypto.x25519 import X25519Identity
from holdfast.errors import DecryptError, NoIdentityMatch

IDENTITY = X25519Identity(build.SECRET)
GREASE = ["-> grease !#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~ x", ""]


def opened(file: bytes, *identities: age.Identity) -> bytes:
    """All plaintext."""
    return b"".join(age.decrypt([file], identities or (IDENTITY,)))


def malformed(change: Callable[[list[str]], list[str]]) -> bytes:
    """A file whose stanza lines are changed and whose MAC is right for them."""
    return build.age_file(b"hello", change(build.x25519()))


MALFORMED_STANZAS = {
    "no kind": lambda s: ["-> ", *s[1:]],
    "no arguments": lambda s: ["->", "", *s],
    "no space": lambda s: [s[0].replace("-> ", "->"), s[1]],
    "two spaces": lambda s: [s[0].replace(" ", "  ", 1), s[1]],
    "empty argument": lambda s: [s[0] + " ", s[1]],
    "tab": lambda s: [s[0].replace("X25519 ", "X25519\t"), s[1]],
    "not ascii": lambda s: ["-> grease é", "", *s],
    "control character": lambda s: ["-> grease \x7f", "", *s],
    "carriage return": lambda s: [s[0] + "\r", s[1]],
    "carriage return in body": lambda s: [s[0], s[1] + "\r"],
    "bad start": lambda s: ["> X25519", *s[1:]],
    "stray line": lambda s: ["stray", *s],
    "body after its short line": lambda s: [*s, "AAAA"],
    "no body": lambda s: [s[0]],
    "empty body": lambda s: [s[0], ""],
    "body padded": lambda s: [s[0], s[1] + "="],
    "body not canonical": lambda s: [s[0], build.not_canonical(s[1])],
    "body not base64": lambda s: [s[0], "*" + s[1][1:]],
    "body of url-safe base64": lambda s: ["-> grease", "-_-_", *s],
    "line of 65 columns": lambda s: ["-> grease", "A" * 65, "", *s],
    "line of 68 columns": lambda s: ["-> grease", "A" * 68, "", *s],
    "full last line without an empty one": lambda s: ["-> grease", "A" * 64, *s],
    "body in two short lines": lambda s: [s[0], s[1][:20], s[1][20:]],
    "body too short": lambda s: [s[0], build.b64(bytes(31))],
    "body too long": lambda s: [s[0], *build.body(bytes(48))],
    "argument too many": lambda s: [s[0] + " more", s[1]],
    "argument missing": lambda s: ["-> X25519", s[1]],
    "share not canonical": lambda s: [build.not_canonical(s[0]), s[1]],
    "share padded": lambda s: [s[0] + "=", s[1]],
    "share too short": lambda s: [f"-> X25519 {build.b64(bytes(31))}", s[1]],
    "share too long": lambda s: [f"-> X25519 {build.b64(bytes(33))}", s[1]],
    "share empty": lambda s: ["-> X25519 =", s[1]],
}


@pytest.mark.parametrize("change", MALFORMED_STANZAS.values(), ids=MALFORMED_STANZAS)
def test_malformed_stanza_is_refused(change: Callable[[list[str]], list[str]]) -> None:
    """Each breaks one rule of the grammar or of the X25519 stanza, under a right MAC."""
    with pytest.raises(DecryptError) as caught:
        opened(malformed(change))
    assert not isinstance(caught.value, NoIdentityMatch)


def test_malformed_stanza_is_refused_behind_a_good_one() -> None:
    """A stanza of a known kind is looked at also where an earlier one already opens the file."""
    bad = ["-> X25519 AAAA", *build.x25519()[1:]]
    with pytest.raises(DecryptError, match="instead of 32"):
        opened(build.age_file(b"hello", build.x25519(), bad))


@pytest.mark.parametrize("share", build.LOW_ORDER_POINTS, ids=lambda share: share.hex()[:8])
def test_share_of_low_order_is_refused(share: bytes) -> None:
    """Such a share makes a shared secret of zeros, which everybody knows."""
    with pytest.raises(DecryptError, match="low order"):
        opened(build.age_file(b"hello", build.x25519(share=share)))


@pytest.mark.parametrize("size", [15, 17, 32])
def test_file_key_of_wrong_length_is_refused(size: int) -> None:
    """The body's length is checked, whatever it decrypts to."""
    with pytest.raises(DecryptError, match="body is"):
        opened(build.age_file(b"hello", build.x25519(file_key=bytes(size))))


def test_unknown_stanzas_are_passed_over() -> None:
    """Grease, of any printable characters, stands before, between and after."""
    other = build.x25519(build.OTHER_SECRET)
    assert opened(build.age_file(b"hello", GREASE, other, GREASE, build.x25519(), GREASE)) == b"hello"


@pytest.mark.parametrize(
    "stanzas",
    [[build.x25519(build.OTHER_SECRET)], [GREASE], [["-> x25519", ""]]],
    ids=["another recipient", "unknown kind", "kind in lower case"],
)
def test_no_identity_match(stanzas: list[list[str]]) -> None:
    """A sound header for others is told from a malformed one."""
    with pytest.raises(NoIdentityMatch, match="no key at hand opens it"):
        opened(build.age_file(b"hello", *stanzas))


def test_every_identity_is_tried() -> None:
    """The second of two opens the file."""
    assert opened(build.age_file(), X25519Identity(build.OTHER_SECRET), IDENTITY) == b"hello"


def without_newline(file: bytes) -> bytes:
    """The first line runs into the second."""
    return file.replace(b"\n", b"", 1)


def mac_line(change: Callable[[bytes], bytes]) -> bytes:
    """A file whose MAC line is changed."""
    head = build.header(build.x25519())
    start = head.index(b"\n--- ") + 1
    return head[:start] + change(head[start:]) + build.payload(b"hello")


MALFORMED_FILES = {
    "empty": b"",
    "text": b"just some text\n" * 100,
    "other version": build.header(build.x25519(), version="age-encryption.org/v2") + build.payload(b""),
    "version with a space": build.header(build.x25519(), version="age-encryption.org/v1 ") + build.payload(b""),
    "version in capitals": build.header(build.x25519(), version="AGE-encryption.org/v1") + build.payload(b""),
    "version and carriage return": build.header(build.x25519(), version="age-encryption.org/v1\r") + build.payload(b""),
    "leading space": b" " + build.age_file(),
    "leading newline": b"\n" + build.age_file(),
    "no stanza": build.header() + build.payload(b"hello"),
    "no newline after the version": without_newline(build.age_file()),
    "carriage returns everywhere": build.header(build.x25519()).replace(b"\n", b"\r\n") + build.payload(b"hello"),
    "mac missing": mac_line(lambda line: b"---\n"),
    "mac without space": mac_line(lambda line: line.replace(b" ", b"")),
    "mac with two spaces": mac_line(lambda line: line.replace(b" ", b"  ")),
    "mac and a space": mac_line(lambda line: line.replace(b"\n", b" \n")),
    "mac and a word": mac_line(lambda line: line.replace(b"\n", b" x\n")),
    "mac padded": mac_line(lambda line: line.replace(b"\n", b"=\n")),
    "mac cut short": mac_line(lambda line: line[:-2] + b"\n"),
    "mac too long": mac_line(lambda line: line.replace(b"\n", b"AA\n")),
    "mac not canonical": mac_line(lambda line: build.not_canonical(line[:-1].decode()).encode() + b"\n"),
    "mac and carriage return": mac_line(lambda line: line.replace(b"\n", b"\r\n")),
    "four hyphens": mac_line(lambda line: b"-" + line),
    "mac of zeros": mac_line(lambda line: b"--- " + build.b64(bytes(32)).encode() + b"\n"),
}


@pytest.mark.parametrize("file", MALFORMED_FILES.values(), ids=MALFORMED_FILES)
@pytest.mark.parametrize("piece_bytes", [1 << 20, 1], ids=["whole", "bytewise"])
def test_malformed_file_is_refused(file: bytes, piece_bytes: int) -> None:
    """Whatever the pieces it comes in, nothing is released."""
    pieces = [file[start : start + piece_bytes] for start in range(0, len(file), piece_bytes)]
    with pytest.raises(DecryptError) as caught:
        next(age.decrypt(pieces, (IDENTITY,)))
    assert not isinstance(caught.value, NoIdentityMatch)


def test_other_version_is_named() -> None:
    """A file of a later format is not called garbage."""
    with pytest.raises(DecryptError, match="version of the format is not supported"):
        opened(MALFORMED_FILES["other version"])


def test_endless_header_is_refused_in_bounded_memory() -> None:
    """Reading stops at the bound, not at the end of the input."""
    taken = 0

    def pieces() -> Iterator[bytes]:
        nonlocal taken
        yield b"age-encryption.org/v1\n-> grease "
        while True:
            taken += 1 << 16
            yield b"a" * (1 << 16)

    with pytest.raises(DecryptError, match="longer than"):
        next(age.decrypt(pieces(), (IDENTITY,)))
    assert taken <= MAX_HEADER_BYTES + (1 << 16)


def test_long_header_within_the_bound_is_read() -> None:
    """Hundreds of recipients are no abuse."""
    many = [build.x25519(bytes([number]) * 32) for number in range(1, 250)]
    assert opened(build.age_file(b"hello", *many, build.x25519())) == b"hello"


kinds = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20)
stanzas = st.builds(
    Stanza, kinds.filter(lambda kind: kind != "scrypt"), st.lists(kinds).map(tuple), st.binary(max_size=200)
)


@given(st.lists(stanzas, min_size=1, max_size=5), st.binary(min_size=16, max_size=16))
def test_header_round_trip(written: list[Stanza], file_key: bytes) -> None:
    """Any stanzas are read back as they were written, to the same bytes."""
    text = bytes(Header.build(written, file_key))
    header = Header.parse(text)
    assert header.stanzas == tuple(written)
    assert bytes(header) == text
    header.verify(file_key)


@given(st.data())
def test_any_flipped_bit_of_the_header_is_refused(draw: st.DataObject) -> None:
    """Also one in a stanza for somebody else."""
    head = build.header(GREASE, build.x25519(build.OTHER_SECRET), build.x25519())
    place = draw.draw(st.integers(0, len(head) - 1))
    bit = draw.draw(st.integers(0, 7))
    changed = bytearray(head + build.payload(b"hello"))
    changed[place] ^= 1 << bit
    with pytest.raises(DecryptError):
        next(age.decrypt([bytes(changed)], (IDENTITY,)))
