"""Makes and fills the demo databases on the server at a URL, and the demo's media: compose's `demo-databases`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from holdfast.recovery.cluster import Cluster
from holdfast_embedded.demo.databases import load_demo_databases
from holdfast_embedded.demo.media import make_media
from holdfast_embedded.generated import Secrets


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs elsewhere; generated passwords need no escape in a URL."""

    address: str
    superuser: str
    password: str = field(repr=False)

    def url(self, database: str = "postgres", user: str | None = None, password: str | None = None) -> str:
        """The URL of a database, password included."""
        return f"postgresql://{user or self.superuser}:{password or self.password}@{self.address}/{database}"


def main(server_url: str, folder: Path, media: Path) -> None:
    """Log in as the URL's user with the ``folder``'s secrets; those that `make run` has besides these stay empty."""
    files = {field.name: folder / f"demo_{field.name}" for field in fields(Secrets)}
    secrets = Secrets(**{name: file.read_text().strip() if file.exists() else "" for name, file in files.items()})
    superuser, _, address = urlsplit(server_url).netloc.rpartition("@")
    # Loading asks a cluster for nothing but URLs.
    server = cast(Cluster, Server(address, superuser, secrets.postgres_password))
    load_demo_databases(server, secrets)
    make_media(server, secrets, media)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
