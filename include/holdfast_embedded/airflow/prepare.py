"""Brings Airflow's metadata database up to date and makes roles and users; run as a program of its own.

One process does what takes several calls of the `airflow` command, each of which spends most of its time on
starting up.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.errors import HoldfastError
from holdfast_embedded.airflow.logins import Login, from_variables
from holdfast_embedded.airflow.role_file import RoleFile, read_role_file
from holdfast_embedded.airflow.roles import make_roles

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride


def prepare(roles: RoleFile, logins: Iterable[Login]) -> None:
    """Migrate, then make the roles, then the users, each with its password and role."""
    from airflow.utils.db import initdb

    initdb()
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        make_roles(builder, roles)
        for login in logins:
            _make_user(builder.sm, login)


def _make_user(manager: FabAirflowSecurityManagerOverride, login: Login) -> None:
    role = manager.find_role(login.role)
    if role is None:
        raise SystemExit(f"the user {login.name} cannot be made: there is no role {login.role}")
    user = manager.find_user(username=login.name)
    if user is None:
        email = f"{login.name}@localhost"
        user = manager.add_user(login.name, "Holdfast", login.role, email, role, password=login.password)
        if not user:
            raise SystemExit(f"the user {login.name} cannot be made")
        return
    # Roles that someone has given the user besides stay.
    if role not in user.roles:
        user.roles = [*user.roles, role]
        manager.update_user(user)
    manager.reset_password(user.id, login.password)


if __name__ == "__main__":
    try:
        prepare(read_role_file(Path(sys.argv[1])), from_variables(os.environ))
    except HoldfastError as error:
        raise SystemExit(error.message) from None
