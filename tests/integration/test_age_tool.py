"""The ``age`` tool opens what is written here, and what it writes is opened here."""

import subprocess
from pathlib import Path

import pytest

from holdfast.crypto import age
from holdfast.crypto.keyfiles import new_keys
from holdfast.errors import DecryptError

CHUNK = 64 * 1024
SIZES = [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 20 * CHUNK + 12_345]


def run(*argv: str | Path, data: bytes = b"") -> bytes:
    """Output of a program; its failure fails the test with what it said."""
    done = subprocess.run(argv, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def content(size: int) -> bytes:
    """Bytes that differ from chunk to chunk."""
    return (b"%015d\n" * (size // 16 + 1) % tuple(range(size // 16 + 1)))[:size]


@pytest.fixture
def identity_file(tmp_path: Path) -> Path:
    """An identity file by age-keygen."""
    path = tmp_path / "age-keygen.txt"
    run("age-keygen", "-o", path)
    return path


def recipient_of(identity_file: Path) -> str:
    """Its recipient, as age-keygen reads it."""
    return run("age-keygen", "-y", identity_file).decode().strip()


@pytest.mark.parametrize("size", SIZES)
def test_age_opens_what_is_written_here(identity_file: Path, size: int) -> None:
    """Around the chunk borders, from standard input."""
    recipient = age.parse_recipient(recipient_of(identity_file))
    file = b"".join(age.encrypt([content(size)], [recipient]))
    assert run("age", "-d", "-i", identity_file, data=file) == content(size)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("armor", [[], ["--armor"]], ids=["binary", "armored"])
def test_what_age_writes_is_opened_here(identity_file: Path, size: int, armor: list[str]) -> None:
    """Whole, and from the middle where it is binary."""
    identities = age.load_identities(identity_file)
    file = run("age", *armor, "-r", recipient_of(identity_file), data=content(size))
    assert b"".join(age.decrypt([file], identities)) == content(size)
    if not armor:
        reader = age.RangeReader(lambda offset, length: file[offset : offset + length], len(file), identities)
        assert reader.read(size // 2, size) == content(size)[size // 2 :]


def test_armor_written_here_is_opened_by_age(identity_file: Path) -> None:
    """Also where its last line is full."""
    recipient = age.parse_recipient(recipient_of(identity_file))
    for size in range(48):
        file = b"".join(age.armored(age.encrypt([content(size)], [recipient])))
        assert run("age", "-d", "-i", identity_file, data=file) == content(size)


def test_several_recipients_both_ways(tmp_path: Path) -> None:
    """Every one of three identities opens a file for all of them."""
    files = [tmp_path / f"identity{number}.txt" for number in range(3)]
    for path in files:
        run("age-keygen", "-o", path)
    recipients = [recipient_of(path) for path in files]
    ours = b"".join(age.encrypt([b"ours"], [age.parse_recipient(text) for text in recipients]))
    theirs = run("age", *(word for text in recipients for word in ("-r", text)), data=b"theirs")
    for path in files:
        assert run("age", "-d", "-i", path, data=ours) == b"ours"
        assert b"".join(age.decrypt([theirs], age.load_identities(path))) == b"theirs"


def test_key_files_made_here_serve_age(tmp_path: Path) -> None:
    """Both programs of age read them."""
    made = new_keys(tmp_path / "keys")
    assert recipient_of(made.identity_file) == made.recipient
    file = run("age", "-R", made.recipient_file, data=b"hello")
    assert run("age", "-d", "-i", made.identity_file, data=file) == b"hello"
    assert b"".join(age.decrypt([file], age.load_identities(made.identity_file))) == b"hello"


def test_damage_is_refused_by_both(identity_file: Path) -> None:
    """A flipped bit, a cut and an addition, at places all over the file."""
    identities = age.load_identities(identity_file)
    file = run("age", "-r", recipient_of(identity_file), data=content(CHUNK + 100))
    places = range(0, len(file), len(file) // 12)
    flipped = [file[:place] + bytes([file[place] ^ 4]) + file[place + 1 :] for place in places]
    for damaged in [*flipped, *(file[:place] for place in places), file + b"\0"]:
        theirs = subprocess.run(["age", "-d", "-i", identity_file], input=damaged, capture_output=True, check=False)
        assert theirs.returncode == 1
        with pytest.raises(DecryptError):
            list(age.decrypt([damaged], identities))
