"""Loads the fixtures, which are grouped by concern, and keeps what tests leave inside the ignored folder."""

from pathlib import Path

from hypothesis import settings
from hypothesis.database import DirectoryBasedExampleDatabase

pytest_plugins = ["fix_postgres", "fix_store", "fix_environment", "fix_compose"]

_CACHE = Path(__file__).parent.parent / ".holdfast" / "cache"
settings.register_profile("holdfast", database=DirectoryBasedExampleDatabase(_CACHE / "hypothesis"), deadline=None)
settings.load_profile("holdfast")
