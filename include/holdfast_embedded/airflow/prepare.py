"""Brings Airflow's metadata database up to date and makes the administrator; run as a program of its own.

One process does what takes several calls of the `airflow` command, each of which spends most of its time on
starting up.
"""

from __future__ import annotations

import os
import sys

PASSWORD_VARIABLE = "HOLDFAST_ADMIN_PASSWORD"  # noqa: S105 - the variable's name


def prepare(admin: str) -> None:
    """Migrate, then make ``admin`` with the password of the environment."""
    from airflow.utils.db import initdb

    initdb()
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        manager = builder.sm
        password = os.environ[PASSWORD_VARIABLE]
        user = manager.find_user(username=admin)
        if user is None:
            role = manager.find_role("Admin")
            user = manager.add_user(admin, "Holdfast", "Administrator", f"{admin}@localhost", role, password=password)
            if not user:
                raise SystemExit(f"the user {admin} cannot be made")
        else:
            manager.reset_password(user.id, password)


if __name__ == "__main__":
    prepare(sys.argv[1])
