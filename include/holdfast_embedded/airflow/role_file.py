"""The file of roles (deploy/roles.yaml): read, and refused where it would let a role past what it is for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from holdfast.errors import UsageError
from holdfast.policy.strict_yaml import Document, NotYaml

Permission = tuple[str, str]
"""FAB's names of an action and of what it is done to: ``("can_read", "DAG Runs")``."""
Action = Literal["can_read", "can_edit", "can_create", "can_delete", "menu_access"]
Permissions = dict[Action, tuple[str, ...]]

ADMIN, PUBLIC = "Admin", "Public"
_OF_POLICIES = ("DAG:", "DAG Run:")
"""Prefixes of what stands for one DAG: the policy's section ``access`` gives these permissions."""
_CHANGES = frozenset({"can_edit", "can_create", "can_delete"})
_ADMINS = frozenset({"DAG Runs", "Task Instances", "XComs", "Variables", "Connections", "Roles", "Users", "Passwords"})
_SECRET = frozenset({"Variables", "Connections", "Configurations"})


class RoleFile(BaseModel):
    """All roles but Admin; ``removed`` names those that are taken away where they exist."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    everyone: Permissions
    roles: dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$")], Permissions] = Field(min_length=1)
    removed: tuple[str, ...] = ()

    def permissions(self) -> Mapping[str, frozenset[Permission]]:
        """What each role may do; the role of those who are not logged in may do nothing."""
        of_everyone = _pairs(self.everyone)
        return {PUBLIC: frozenset()} | {name: of_everyone | _pairs(own) for name, own in self.roles.items()}


def read_role_file(path: Path) -> RoleFile:
    """The roles; raises UsageError naming what cannot be used, and why."""
    try:
        found = RoleFile.model_validate(Document.parse(path.read_text(encoding="utf-8")).data)
    except OSError as error:
        raise UsageError(f"roles {path}: {error.strerror}") from error
    except NotYaml as error:
        raise UsageError(f"roles {path}: line {error.line}: {error.reason}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"roles {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    for name, permissions in found.permissions().items():
        fault = next(filter(None, (_fault(pair) for pair in sorted(permissions))), None)
        if fault is not None:
            raise UsageError(f"roles {path}: {name}: {fault}")
    for name in (ADMIN, PUBLIC):
        if name in found.roles or name in found.removed:
            raise UsageError(f"roles {path}: {name}: Admin may do everything and Public nothing; neither is declared")
    if both := set(found.roles) & set(found.removed):
        raise UsageError(f"roles {path}: {min(both)}: stands in roles and in removed")
    return found


def is_of_policies(resource: str) -> bool:
    """Whether a permission for ``resource`` comes from a policy."""
    return resource.startswith(_OF_POLICIES)


def _pairs(permissions: Permissions) -> frozenset[Permission]:
    return frozenset((action, resource) for action, resources in permissions.items() for resource in resources)


def _fault(permission: Permission) -> str | None:
    """Why no role but Admin may have it; None where one may."""
    action, resource = permission
    if is_of_policies(resource) or (resource == "DAGs" and action != "menu_access"):
        return f"{action} on {resource}: which DAGs a role may use stands in the section access of each policy"
    if (action in _CHANGES and resource in _ADMINS) or (action != "menu_access" and resource in _SECRET):
        return f"{action} on {resource}: that is for Admin alone"
    return None
