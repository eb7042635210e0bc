"""The demo databases, each with an owner of its own, who restores it; backups are taken by a role that only reads."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import psycopg

from holdfast.recovery.cluster import Cluster
from holdfast_embedded.databases import allow_streaming, ensure_database, ensure_role
from holdfast_embedded.generated import Secrets

BACKUP_ROLE = "holdfast_backup"


@dataclass(frozen=True, slots=True)
class DemoDatabase:
    """A database of one environment of one app, under the connection id that the example policy names."""

    conn_id: str
    name: str
    scripts: tuple[str, ...]
    students: int = 0
    is_streamed: bool = False

    @property
    def owner(self) -> str:
        """The role of the application itself, which may also put a restored database in the live one's place."""
        return f"{self.name}_app"

    @property
    def owner_conn_id(self) -> str:
        """The connection id of that role, which the example policy names under ``restore``."""
        return f"{self.conn_id.removesuffix('_db')}_owner"


DEMO_DATABASES = (
    DemoDatabase(
        "coursepedia_production_db",
        "coursepedia_production",
        ("coursepedia.sql", "coursepedia_media.sql", "coursepedia_app.sql"),
        is_streamed=True,
    ),
    DemoDatabase("campustrack_production_db", "college_attendance", ("campustrack.sql",), students=240),
    DemoDatabase("campustrack_staging_db", "college_attendance_staging", ("campustrack.sql",), students=60),
    DemoDatabase("campustrack_development_db", "college_attendance_development", ("campustrack.sql",), students=24),
)


def load_demo_databases(server: Cluster, secrets: Secrets) -> None:
    """Make and fill those that are missing; what is there already is left as it is."""
    ensure_role(server, BACKUP_ROLE, secrets.backup_password, member_of="pg_read_all_data")
    for demo in DEMO_DATABASES:
        # Renaming a database asks for the right to make one, and for ending the sessions of the backup's role.
        ensure_role(server, demo.owner, secrets.owner_password, member_of="pg_signal_backend", makes_databases=True)
        ensure_database(server, demo.name, owner=demo.owner, readers=(BACKUP_ROLE,))
        if demo.is_streamed:
            allow_streaming(server, BACKUP_ROLE, demo.name)
        _fill(demo, server.url(demo.name, demo.owner, secrets.owner_password))


def _fill(demo: DemoDatabase, url: str) -> None:
    for script in demo.scripts:
        content = files(__package__).joinpath(script).read_bytes()
        with psycopg.connect(url) as session:  # one transaction: a script has run whole or not at all
            if session.execute("SELECT to_regclass(%s)", [_first_table(content)]).fetchone() == (None,):
                session.execute("SELECT set_config('demo.students', %s, true)", [str(demo.students)])
                session.execute(content)


def _first_table(script: bytes) -> str:
    """By this one the script is seen to have run."""
    return script.decode().partition("CREATE TABLE ")[2].partition(" (")[0]
