"""A file to be sourced by a shell, so that the `holdfast` command sees what the embedded Airflow sees."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from holdfast_embedded.generated import write_private

_NAMES = ("HOLDFAST_STATE", "HOLDFAST_KEYS")


def write_shell_file(
    path: Path, environment: Mapping[str, str], connections: Mapping[str, str], programs: Sequence[str]
) -> None:
    """Write exports of the demo's connections and of the variables that its policies use; mode 0600.

    PATH is the shell's own, with the folders ``programs`` in front.
    """
    variables = {name: environment[name] for name in _NAMES} | dict(connections) | {"PATH": ":".join(programs)}
    lines = [
        f"export {name}={shlex.quote(value)}{':$PATH' if name == 'PATH' else ''}" for name, value in variables.items()
    ]
    write_private(path, "\n".join(lines) + "\n")
