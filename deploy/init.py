"""Prepares Airflow's metadata database and the administrator's login: compose's service `init`."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast_embedded.airflow.prepare import PASSWORD_VARIABLE, prepare

os.environ[PASSWORD_VARIABLE] = Path(os.environ["HOLDFAST_ADMIN_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
prepare(os.environ["HOLDFAST_ADMIN"])
