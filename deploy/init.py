"""Prepares Airflow's metadata database, its roles and the administrator's login: compose's service `init`."""

from __future__ import annotations

import os
from pathlib import Path

from holdfast_embedded.airflow.logins import Login
from holdfast_embedded.airflow.prepare import prepare
from holdfast_embedded.airflow.role_file import ADMIN, read_role_file

password = Path(os.environ["HOLDFAST_ADMIN_PASSWORD_FILE"]).read_text(encoding="utf-8").strip()
roles = read_role_file(Path(__file__).with_name("roles.yaml"))
prepare(roles, [Login(os.environ["HOLDFAST_ADMIN"], ADMIN, password)])
