"""Loads the fixtures, which are grouped by concern, and keeps what tests leave inside the ignored folder."""

import os
import signal
from pathlib import Path

# Hypothesis reads it when it is imported.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parent.parent / ".holdfast/cache/hypothesis"))

from hypothesis import settings

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
]

settings.register_profile("holdfast", deadline=None)
settings.load_profile("holdfast")
