"""Loads the fixtures, which are grouped by concern, and keeps what tests leave inside the ignored folder."""

import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Hypothesis reads it when it is imported.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parent.parent / ".holdfast/cache/hypothesis"))

from hypothesis import settings

from holdfast.redaction import KNOWN
from sharing_out import Scheduling, turn_of

# Shells start background jobs with Ctrl-C ignored, which all that is started here would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = [
    "fix_postgres",
    "fix_store",
    "fix_bucket",
    "fix_environment",
    "fix_compose",
    "fix_media",
    "fix_recovery",
    "fix_demo_app",
    "fix_browser",
    "fix_make_run",
    "fix_wal",
    "fix_recover",
    "fix_webhook",
]

settings.register_profile("holdfast", deadline=None)
settings.load_profile("holdfast")


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    """One test's passwords are words of another's: what is read here is not kept from test to test."""
    KNOWN.forget()
    yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Scheduling:
    """Each process works on one file at a time, so that servers are started once for a file."""
    return Scheduling(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first."""
    items.sort(key=lambda item: turn_of(item.nodeid))


def pytest_collection_finish() -> None:
    """What was imported stays: the garbage collector need not go through all of it, again and again."""
    gc.collect()
    gc.freeze()
