"""Makes Airflow's roles what the file of roles says: no permission less, and none more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast.errors import UsageError
from holdfast_embedded.airflow.role_file import ADMIN, Permission, RoleFile, is_of_policies

if TYPE_CHECKING:
    from airflow.providers.fab.auth_manager.models import Permission as Stored
    from airflow.providers.fab.auth_manager.models import Role
    from airflow.providers.fab.auth_manager.security_manager.override import FabAirflowSecurityManagerOverride
    from airflow.providers.fab.www.extensions.init_appbuilder import AirflowAppBuilder


def make_roles(builder: AirflowAppBuilder, file: RoleFile) -> None:
    """Bring all roles up to date. Doing it again changes nothing; nobody is let in for the time of the change.

    Raises UsageError where the file names a permission that this Airflow does not know.
    """
    manager = builder.sm
    _make_permissions(builder)
    wanted = file.permissions()
    stored = {name: _stored(manager, name, permissions) for name, permissions in wanted.items()}
    for name, permissions in stored.items():
        # FAB's own way commits permission by permission; a role must never be seen half made.
        role = manager.find_role(name) or manager.add_role(name)
        role.permissions = [*_of_policies(role), *permissions]
    manager.session.commit()
    for name in file.removed:
        if manager.find_role(name) is not None:
            manager.delete_role(name)


def _make_permissions(builder: AirflowAppBuilder) -> None:
    """All permissions that there are, held by Admin.

    Not by FAB's own sync_roles, which would give the stock roles back, if only for a moment, what ours lack.
    """
    manager = builder.sm
    builder.add_permissions(update_perms=True)  # type: ignore[no-untyped-call]
    manager.create_perm_vm_for_all_dag()
    manager.bulk_sync_roles([stock for stock in manager.ROLE_CONFIGS if stock["role"] == ADMIN])
    manager.update_admin_permission()
    manager.clean_perms()


def _stored(manager: FabAirflowSecurityManagerOverride, role: str, permissions: frozenset[Permission]) -> list[Stored]:
    found = {permission: manager.get_permission(*permission) for permission in sorted(permissions)}
    for (action, resource), stored in found.items():
        if stored is None:
            raise UsageError(f"roles: {role}: {action} on {resource}: this Airflow has no such permission")
    return [stored for stored in found.values() if stored is not None]


def _of_policies(role: Role) -> list[Stored]:
    return [each for each in role.permissions if each.resource is not None and is_of_policies(each.resource.name)]
