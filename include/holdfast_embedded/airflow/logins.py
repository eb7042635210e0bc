"""People who may log in: names, roles and passwords, passed between processes in an environment variable."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

from holdfast_embedded.airflow.environment import ADMIN
from holdfast_embedded.airflow.role_file import ADMIN as ADMIN_ROLE
from holdfast_embedded.generated import Secrets

VARIABLE = "HOLDFAST_LOGINS"


@dataclass(frozen=True, slots=True)
class Login:
    """One user of Airflow, with the one role that counts."""

    name: str
    role: str
    password: str = field(repr=False)


def embedded_logins(secrets: Secrets) -> tuple[Login, ...]:
    """The administrator, and one user for each role of deploy/roles.yaml, to try what it may do."""
    return (
        Login(ADMIN, ADMIN_ROLE, secrets.admin_password),
        Login("devops", "DevOps", secrets.devops_password),
        Login("dba", "DBA", secrets.dba_password),
        Login("teamlead", "TeamLead", secrets.teamlead_password),
        Login("developer", "Developer", secrets.developer_password),
        Login("viewer", "Viewer", secrets.viewer_password),
    )


def as_variable(logins: Iterable[Login]) -> str:
    """What the variable is set to."""
    return json.dumps([asdict(login) for login in logins])


def from_variables(variables: Mapping[str, str]) -> tuple[Login, ...]:
    """The logins that the variable holds; raises KeyError where it is not set."""
    return tuple(Login(**each) for each in json.loads(variables[VARIABLE]))
