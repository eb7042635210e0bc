"""Loads the fixtures, which are grouped by concern, and keeps what tests leave inside the ignored folder."""

import os
from pathlib import Path

# Hypothesis reads it when it is imported.
os.environ.setdefault("HYPOTHESIS_STORAGE_DIRECTORY", str(Path(__file__).parent.parent / ".holdfast/cache/hypothesis"))

from hypothesis import settings

pytest_plugins = ["fix_postgres", "fix_store", "fix_environment", "fix_compose"]

settings.register_profile("holdfast", deadline=None)
settings.load_profile("holdfast")
