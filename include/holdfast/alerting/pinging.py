"""Tells a watcher outside (healthchecks and its like) that the watch lives, and whether it found something."""

from __future__ import annotations

import contextlib
import http.client
import time
import urllib.error
import urllib.request
from urllib.parse import SplitResult, quote, urlencode, urlsplit, urlunsplit

from holdfast.alerting.bounded import within
from holdfast.alerting.message import DeliveryError
from holdfast.errors import UsageError
from holdfast.redaction import redact
from holdfast.values.connection import Connection

_TIMEOUT_S = 10.0
_WITHIN_S = 25.0
_PAUSES_S = (0.5, 2.0)
_BODY_BYTES = 8000


def ping(connection: Connection, is_ok: bool, text: str) -> None:
    """POST ``text`` to the connection's URL, with ``/fail`` after its path where not all is well.

    Takes up to 25 s. Raises DeliveryError where nobody took it, UsageError where the connection holds no URL; neither
    says the URL, which is a secret: who knows it can keep the alarm silent.
    """
    url = urlunsplit(_url(connection) if is_ok else _failing(_url(connection)))
    answers = within(_WITHIN_S, [lambda: _call(url, redact(text).encode()[:_BODY_BYTES])])
    answer = answers[0] if answers[0] is not None else "no answer in time"
    if answer:
        raise DeliveryError(f"connection {connection.conn_id}: the ping was not taken: {answer}", failed=("ping",))


def _failing(url: SplitResult) -> SplitResult:
    return url._replace(path=url.path.rstrip("/") + "/fail")


def _url(connection: Connection) -> SplitResult:
    """Of ``extra.url``, a whole URL as host, or the parts that Airflow makes of a URI."""
    whole = connection.extra.get("url")
    if not isinstance(whole, str) and connection.host is not None and "://" in connection.host:
        whole = connection.host
    url = None
    with contextlib.suppress(ValueError):
        url = urlsplit(whole.strip()) if isinstance(whole, str) else _from_parts(connection)
    if url is None or url.scheme not in ("http", "https") or not url.netloc:
        raise UsageError(
            f"connection {connection.conn_id}: holds no http:// or https:// URL to ping",
            hint="Give it the URL as its host, or as the extra url, such as https://hc-ping.com/UUID.",
        )
    return url._replace(fragment="")


def _from_parts(connection: Connection) -> SplitResult:
    scheme, path = connection.conn_type, connection.schema or ""
    if path in ("http", "https"):
        # Airflow's form for HTTP connections has the protocol in the field schema.
        scheme, path = path, ""
    host, _, rest = (connection.host or "").partition("/")
    path = "/".join(part for part in (rest, quote(path)) if part)
    port = f":{connection.port}" if connection.port else ""
    query = urlencode({name: str(value) for name, value in connection.extra.items()})
    return SplitResult(scheme, f"{host}{port}", f"/{path}" if path else "", query, "")


def _call(url: str, body: bytes) -> str:
    """Why nobody took it; empty where somebody did."""
    answer = ""
    for pause_s in (*_PAUSES_S, None):
        answer = _attempt(url, body)
        if not answer or pause_s is None:
            break
        time.sleep(pause_s)
    return answer


def _attempt(url: str, body: bytes) -> str:
    headers = {"Content-Type": "text/plain; charset=utf-8", "User-Agent": "Holdfast"}
    request = urllib.request.Request(url, body, headers)  # noqa: S310 - http and https alone come here
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as response:  # noqa: S310
            response.read(1000)
    except urllib.error.HTTPError as error:
        error.close()
        return f"answered {error.code}"
    except (OSError, http.client.HTTPException, ValueError):
        # What it says may hold the URL.
        return "cannot be reached"
    return ""
