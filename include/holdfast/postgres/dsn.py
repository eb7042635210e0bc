"""Names of databases as PostgreSQL's programs take them on the command line."""

from __future__ import annotations


def dbname_argument(name: str) -> str:
    """``name`` so that a program of libpq takes it for a name, whatever it holds.

    libpq reads a bare argument with = in it, or one that starts like a URL, as a whole connection string.
    """
    escaped = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"
