"""What the command line prints loses its secrets; what programs read keeps its form."""

from __future__ import annotations

import io
import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout

import click

from holdfast.cli.output import Ending, emit, guard_streams
from holdfast.errors import StoreError
from holdfast.redaction import KNOWN

SECRET = 'p"w/4711 x'


@contextmanager
def guarded() -> Iterator[tuple[io.BytesIO, io.BytesIO]]:
    """Guarded stdout and stderr, whose bytes can be looked at."""
    out, err = io.BytesIO(), io.BytesIO()
    KNOWN.learn("test", [SECRET])
    with redirect_stdout(_text(out)), redirect_stderr(_text(err)):
        guard_streams()
        yield out, err


def _text(stream: io.BytesIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding="utf-8", write_through=True)


def test_error_and_traceback_show_no_secret() -> None:
    """Neither in words nor as JSON."""
    with guarded() as streams:
        try:
            try:
                raise ValueError(f"refused {SECRET}")
            except ValueError as cause:
                raise StoreError(f"store x: {SECRET}", hint=f"Look at postgres://u:{SECRET}@h.") from cause
        except StoreError as error:
            Ending(is_debug=True, is_json=True).of(error)
        out, err = (stream.getvalue().decode() for stream in streams)
    assert SECRET not in out + err
    assert json.loads(out)["error"] == "store x: ***"
    assert "ValueError: refused ***" in err
    assert "holdfast: error: store x: ***" in err


def test_whoever_prints_is_masked() -> None:
    """Libraries and Python itself write to stderr by themselves."""
    with guarded() as (_, errors):
        traceback.print_exception(ValueError(f"http://u:other@h {SECRET}"))
        print("token=abcdef", file=sys.stderr)
        err = errors.getvalue().decode()
    assert "http://u:***@h ***" in err
    assert "token=***" in err


def test_results_keep_their_form() -> None:
    """Known secrets go, as JSON spells them; what merely looks like one stays, and bytes are no text."""
    with guarded() as (output, _):
        emit({"said": SECRET, "condition": "password=x"})
        sys.stdout.buffer.write(SECRET.encode())
        click.echo(f"plain {SECRET}")
        first, rest = output.getvalue().decode().splitlines()
    assert json.loads(first) == {"said": "***", "condition": "password=x"}
    assert rest == f"{SECRET}plain ***"
