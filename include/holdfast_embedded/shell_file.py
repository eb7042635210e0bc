"""A file to be sourced by a shell, so that the `holdfast` command sees what the embedded Airflow sees."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from holdfast_embedded.generated import write_private

_NAMES = ("HOLDFAST_STATE", "HOLDFAST_KEYS", "PATH")


def write_shell_file(path: Path, environment: Mapping[str, str], connections: Mapping[str, str]) -> None:
    """Write exports of the demo's connections and of the variables that its policies use; mode 0600."""
    variables = {name: environment[name] for name in _NAMES} | dict(connections)
    # PATH is the shell's own, with our programs in front.
    variables["PATH"] = variables["PATH"].split(":", 1)[0]
    lines = [
        f"export {name}={shlex.quote(value)}{':$PATH' if name == 'PATH' else ''}" for name, value in variables.items()
    ]
    write_private(path, "\n".join(lines) + "\n")
