"""The address of a database as applications read it."""

from __future__ import annotations

from urllib.parse import quote

from holdfast.postgres.conninfo import Target


def url_of(target: Target) -> str:
    """The target as a URL that libpq and the drivers of applications read alike; holds the password."""
    rest = {name: value for name, value in target.parameters.items() if name not in ("user", "password", "dbname")}
    host = rest.pop("host", "localhost")
    port = rest.pop("port", "5432")
    if host.startswith("/"):
        rest = {"host": host} | rest
        host = "localhost"
    login = ":".join(quote(part, safe="") for part in (target.user, target.get("password") or "") if part)
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='/')}" for name, value in rest.items())
    place = f"[{host}]" if ":" in host else host
    return f"postgresql://{login}{'@' if login else ''}{place}:{port}/{quote(target.database, safe='')}" + (
        f"?{query}" if query else ""
    )
