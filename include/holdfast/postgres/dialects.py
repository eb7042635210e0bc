"""Database URLs as frameworks and hosting providers write them, turned into the form that libpq reads."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from holdfast.errors import UsageError
from holdfast.postgres.keywords import KEYWORDS

_SCHEME = re.compile(r"(postgres(?:ql)?)(?:\+\w+)?://", re.IGNORECASE)

# Parameters for other clients than libpq, none of which changes whether or where one connects.
_FOREIGN = frozenset(
    {
        # Prisma
        "schema", "connection_limit", "pool_timeout", "pgbouncer", "statement_cache_size", "socket_timeout",
        "sslaccept", "sslidentity", "single_use_connections", "connectTimeout",
        # node-postgres, postgres.js, pg-connection-string
        "uselibpqcompat", "max", "idle_timeout", "prepare", "statement_timeout", "query_timeout",
        # SQLAlchemy, asyncpg, Django, JDBC, Go
        "prepared_statement_cache_size", "prepareThreshold", "currentSchema", "ApplicationName", "pool_size",
        "max_overflow", "pool_recycle", "pool_max_conns", "default_query_exec_mode", "conn_max_age", "search_path",
        # Supabase, Heroku-like hosts
        "supa", "workaround", "pool", "pool_mode",
    }
)  # fmt: skip

# node-postgres' name for encryption without a check of the certificate, which is what libpq means by require.
_SSLMODES = {"no-verify": "require", "verify_ca": "verify-ca", "verify_full": "verify-full"}


def is_url(text: str) -> bool:
    """Does it start as a PostgreSQL URL does?"""
    return _SCHEME.match(text) is not None


def libpq_url(text: str) -> str:
    """``text`` as libpq understands it; what is not a URL is returned as it is.

    Raises UsageError for a parameter that nobody is known to use: it is likely a misspelt one that matters.
    """
    text = text.strip()
    scheme = _SCHEME.match(text)
    if scheme is None:
        if "://" in text:
            raise UsageError("database address: a URL, but not one that starts with postgres:// or postgresql://")
        return text
    address, _, query = text[scheme.end() :].partition("?")
    parameters = "&".join(_translated(query)) if query else ""
    return f"{scheme[1].lower()}://{address}" + (f"?{parameters}" if parameters else "")


def driver_names(extra: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """A connection's extra with what other drivers call TLS in libpq's words.

    Raises UsageError for an unknown name that begins with ssl: passed over, it would leave the way open.
    """
    for name, value in extra.items():
        if name == "ssl":
            yield "sslmode", "require" if str(value).lower() in ("true", "1", "require") else "prefer"
        elif name == "sslmode":
            yield name, _SSLMODES.get(str(value), value)
        elif name.lower().startswith("ssl") and name not in KEYWORDS | _FOREIGN:
            raise UsageError(
                f"connection: unknown TLS parameter {name!r}", hint="libpq's are sslmode, sslrootcert, sslcert, sslkey."
            )
        else:
            yield name, value


def _translated(query: str) -> Iterator[str]:
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        name = unquote(name)
        if name == "sslmode":
            value = _SSLMODES.get(value, value)
        if name in KEYWORDS or name == "ssl":
            yield f"{name}{equals}{value}" if name != "ssl" else _ssl(value)
        elif name not in _FOREIGN:
            # With an @ in it, this is no parameter but the rest of a password that held a bare question mark.
            which = f" {name!r}" if name.isidentifier() and "@" not in query else ""
            raise UsageError(
                f"database address: unknown URL parameter{which}",
                hint="Parameters are libpq's connection keywords, such as sslmode=require. A ? inside a password "
                "must be written %3F.",
            )


def _ssl(value: str) -> str:
    """``ssl=true`` of several drivers."""
    return "sslmode=require" if value.lower() in ("true", "1", "require") else "sslmode=prefer"
