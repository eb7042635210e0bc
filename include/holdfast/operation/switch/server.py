"""The live database's server as a plan must know it, and the live database where there is one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.manifest.evidence import Fact
from holdfast.manifest.model import SourceFacts
from holdfast.postgres.beside import owner_faults, read_live_rights
from holdfast.postgres.conninfo import Target
from holdfast.postgres.databases import LiveFacts, identify, look_at_live
from holdfast.postgres.facts import system_identifier
from holdfast.postgres.maintenance import maintenance_session
from holdfast.postgres.session import Session, translated
from holdfast.postgres.switching import kept_name
from holdfast.values.ids import RestorePointId

_SHOWN = 10
_STRANGERS = """
SELECT rolname::text COLLATE "C" FROM pg_catalog.pg_roles
 WHERE rolname = ANY (%s::text[]) AND NOT pg_catalog.pg_has_role(current_user, oid, 'MEMBER')
 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class LiveServer:
    """``live`` is None where the server has no database of that name; ``kept_as`` is the name for what is replaced.

    ``strangers`` own objects in it, and the role that restores may not make them owners.
    """

    target: Target
    live: LiveFacts | None
    strangers: tuple[str, ...]
    kept_as: str
    system_identifier: str
    version_num: int

    @property
    def name(self) -> str:
        """The live database's name."""
        return self.target.database

    @property
    def facts(self) -> Mapping[str, Fact]:
        """What identifies it, for programs and for the switch."""
        return {
            "database": self.name,
            "live_oid": self.live.identity.oid if self.live is not None else None,
            "system_identifier": self.system_identifier,
            "server_version_num": self.version_num,
            "kept_as": self.kept_as if self.live is not None else None,
        }

    @property
    def faults(self) -> tuple[str, ...]:
        """Why another database cannot be put in its place."""
        if self.live is None:
            return ()
        owned = [f"role {role} owns objects that {self.target.user} cannot give it again" for role in self.strangers]
        return (*self.live.may_rename, *self.live.hindrances, *owned)

    def notes(self, source: SourceFacts) -> tuple[str, ...]:
        """What would not be as it was, but hinders nothing: roles that lack, slots that stay behind."""
        slots = [slot.name for slot in self.live.slots] if self.live is not None else []
        behind = f"replication slots stay with what is replaced: {', '.join(slots)}"
        return (*owner_faults(self.target, source)[:_SHOWN], *([behind] if slots else []))


def look_at_server(target: Target, point: RestorePointId) -> LiveServer:
    """Look at it; raises what connecting to the server raises."""
    live = look_at_live(target) if identify(target) is not None else None
    with (
        maintenance_session(target, avoid=(target.database,)) as session,
        translated(target, "looking at the server"),
    ):
        names = {name for (name,) in session.execute("SELECT datname::text FROM pg_catalog.pg_database").fetchall()}
        return LiveServer(
            target=target,
            live=live,
            strangers=_strangers(target, session) if live is not None and not live.is_superuser else (),
            kept_as=kept_name(target.database, point, names),
            system_identifier=system_identifier(session),
            version_num=session.info.server_version,
        )


def _strangers(target: Target, session: Session) -> tuple[str, ...]:
    """Owners in the live database that a restore by this role would take their own from."""
    objects = read_live_rights(target).objects.values()
    owners = {each.owner for each in objects if each.schema_name and not each.is_bound}
    found = session.execute(_STRANGERS, (sorted(owners - {"pg_database_owner"}),)).fetchall()
    return tuple(role for (role,) in found)
