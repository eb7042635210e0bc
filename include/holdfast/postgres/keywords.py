"""libpq's connection keywords and the environment variables that carry them to children."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import psycopg

_ALL = tuple(psycopg.pq.Conninfo.get_defaults())

KEYWORDS: frozenset[str] = frozenset(each.keyword.decode() for each in _ALL)

VARIABLES: Mapping[str, str] = MappingProxyType(
    {each.keyword.decode(): each.envvar.decode() for each in _ALL if each.envvar}
)

# libpq marks with * what it would not show on a screen; the SCRAM keys open the door just as well.
SECRET_KEYWORDS: frozenset[str] = (
    frozenset(
        {each.keyword.decode() for each in _ALL if each.dispchar == b"*"} | {"scram_client_key", "scram_server_key"}
    )
    & KEYWORDS
)

# Without a variable, and of effect on who is let in. The others without one tune timeouts only.
UNPASSABLE: frozenset[str] = frozenset(
    name for name in KEYWORDS - VARIABLES.keys() if name in SECRET_KEYWORDS or name.startswith("oauth_")
)
