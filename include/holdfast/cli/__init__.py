"""The command line: the same use cases as the DAGs, with Airflow down."""

from __future__ import annotations

import os
import signal
from types import FrameType


def main() -> None:
    """Run the command line and end the process with its status.

    All else is imported here, and takes a moment in which people press Ctrl-C, too.
    """
    signal.signal(signal.SIGINT, _leave)
    # Otherwise pydantic searches every installed package for plugins of it, which takes a tenth of the start.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "1")
    from holdfast.cli.main import run

    run()


def _leave(signum: int, frame: FrameType | None) -> None:
    """Nothing has begun that would have to be ended."""
    try:
        os.write(2, b"holdfast: error: interrupted\n")
    finally:
        os._exit(130)
