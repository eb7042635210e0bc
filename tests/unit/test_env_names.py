"""Env files are read for their names alone: every form of them, and never a value."""

from __future__ import annotations

import os
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.inventory.env_names import names_in, read_env_names

NAME = st.from_regex(r"[A-Z][A-Z_]{0,11}", fullmatch=True)
# Values of characters that names never have, so that any leak shows.
VALUE = st.text("äß 0123=#$&é", max_size=12)


def _assigned(name: str, value: str, form: int, is_exported: bool) -> str:
    plain = value.replace("#", "").strip().lstrip("=")
    forms = (
        plain,
        f'"{value}"',
        f"'{value}'",
        f"`{value}`",
        f'"{value}\nNOT_{name}=1\n{value}"',
        f"'{value}'  # {value}",
    )
    return f"{'export ' if is_exported else ''}{name}={forms[form]}"


@given(
    st.lists(st.tuples(NAME, VALUE, st.integers(0, 5), st.booleans()), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.booleans(),
)
def test_all_names_and_nothing_else(lines: list[tuple[str, str, int, bool]], ending: str, has_bom: bool) -> None:
    """Names of any number of assignments in any mixture of forms, between comments and blank lines."""
    text = "# COMMENT=1\n\n" + "\n  # x\n".join(_assigned(*line) for line in lines) + "\n"
    found = names_in(("\ufeff" if has_bom else "").lstrip("\ufeff") + text.replace("\n", ending))
    assert found.unread is None
    assert found.names == {line[0] for line in lines}


@given(st.text(string.printable + "äß\ufeff'\"`\\"))
def test_any_text_is_answered_without_its_values(text: str) -> None:
    """Whatever the text, what comes back are names in front of an equals sign, and a reason never quotes it."""
    found = names_in(text)
    for name in found.names:
        assert f"{name}=" in text.replace(" ", "").replace("\t", "")
    assert found.unread is None or found.unread.startswith(("line ", "it holds no line"))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("A=1\nB=2", {"A", "B"}),
        ("export A=1 # C=3", {"A"}),
        ("  A = 1", {"A"}),
        ("A=", {"A"}),
        ('A="x\nB=1\n"\nC=2', {"A", "C"}),
        ("A='it\\'s\nB=1'\nC=2", {"A", "C"}),
        ('A="say \\"x\\""\nB=1', {"A", "B"}),
        ("A=it\\'s\nB=1", {"A", "B"}),
        ("A='it'# s\nB=1", {"A", "B"}),
        ('A=say "hi" there\nB=1 # don\'t', {"A", "B"}),
        ("A= # don't\nB=1", {"A", "B"}),
        ('A=$(date)\nB={"x": [1]}\nC=a{b\nD=x(y', {"A", "B", "C", "D"}),
        ('A="x"\\\nB=1\nC=2', {"A", "C"}),
        ("A=one\\\nB=1\nC=2", {"A", "C"}),
        ("A=-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq==\nB=\n-----END PRIVATE KEY-----\nC=1", {"A", "C"}),
        ("XJQKZ_JQXZK=1", {"XJQKZ_JQXZK"}),
        ("app.name=x\nlower_case=1", {"app.name", "lower_case"}),
        ("not a line\n=x\n1A=1\n$B=2\nA=1", {"A"}),
        ("A=1\x00\nB=2", {"A", "B"}),
        ("", set()),
        ("# only\n\n# comments\n", set()),
    ],
)
def test_forms(text: str, names: set[str]) -> None:
    """One example of each form."""
    found = names_in(text)
    if text.startswith("#"):
        assert found.unread == "it holds no line of the form NAME=…"
    else:
        assert (found.names, found.unread) == (frozenset(names), None)


@pytest.mark.parametrize(
    "text",
    [
        "A=x'multi\ncanaryCANARYxx=z'",
        'A=x"multi\ncanary=z"',
        "A='x'y'multi\ncanary=z'",
        "A=it's\nB=canary's",
        "A=#x'multi\ncanary=z'",
        "A=$(cat <<EOF\ncanary=1\nEOF\n)\nB=1",
        "A=<<EOF\ncanary=1\nEOF",
        'A={\n"x": 1,\ncanary=1}',
        'A={"a": 1,\ncanary=2}',
        "A=[\ncanary=1]",
        "A=${X:-\ncanary=1}",
        'A="$(echo "x\ncanary=z")"',
        "A=\nCANARYABCDEFGH==",
        "A=\nCANARYABCDEFGH======\n",
    ],
)
def test_values_that_go_on_are_not_taken_for_names(text: str) -> None:
    """Where a shell or a reader of JSON would read on, nothing is compared, and nothing of it is repeated."""
    found = names_in(text)
    assert found.names == frozenset()
    assert found.unread is not None
    assert found.unread.startswith("line ")
    assert "canary" not in found.unread.lower()


@pytest.mark.parametrize("text", ["A=1\nB='open\nC=canary", 'A="x\n\nB="canary"\n', "A=`canary"])
def test_open_quotes_are_told_by_line(text: str) -> None:
    """What would swallow names, or show a part of a value as one, is not guessed at."""
    found = names_in(text)
    assert found.names == frozenset()
    assert found.unread is not None
    assert "quotes are not closed" in found.unread
    assert "canary" not in found.unread


def test_unquoted_values_over_lines_do_not_leak() -> None:
    """A line that ends in =, as base64 does, is not taken for a name."""
    found = names_in("A=eyJ\nq8Zk3vXw9Qp2Lm7Rt5Ny==\n")
    assert found.names == frozenset()
    assert found.unread == "line 2: what stands before = looks like a part of a value over several lines"


def test_files_of_every_encoding_and_none(tmp_path: Path) -> None:
    """UTF-8 with and without a mark, UTF-16, bytes of no encoding; and what is no readable file."""
    path = tmp_path / "app.env"
    for content in ("A=ä".encode(), "A=ä".encode("utf-8-sig"), "A=ä".encode("utf-16"), b"A=\xff\xfe\x00"):
        path.write_bytes(content)
        assert read_env_names(path).names == {"A"}
    assert read_env_names(tmp_path).unread == "it is a directory"
    os.mkfifo(tmp_path / "pipe")
    assert read_env_names(tmp_path / "pipe").unread == "it is no regular file"
    assert read_env_names(tmp_path / "nowhere").unread == "there is no such file on this host"
    path.write_bytes(b"A=1\n" * (2 << 20))
    assert read_env_names(path).unread == "it is larger than 4 MiB"
