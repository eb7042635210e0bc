"""Where a backup may not lie: inside what it protects, for one accident would then take both."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

STORE_SCHEMES = ("file://", "s3://", "gs://", "az://", "abfs://")
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


def store_url_fault(text: str) -> str | None:
    """What is wrong with a store's URL, never repeating a login that stands in it; None where nothing is."""
    if not text.startswith(STORE_SCHEMES):
        return f"expected one of {', '.join(STORE_SCHEMES)}, such as file:///srv/backups or s3://bucket/prefix"
    if CONTROL.search(unquote(text)):
        return "it holds a control character, such as the end of a line"
    url = urlsplit(text)
    if "@" in url.netloc:
        return "it holds a login: credentials belong into the connection that conn_id names"
    if "?" in text or "#" in text:
        return "it holds a ? or #: options and credentials belong into the connection that conn_id names"
    if "$" in text:
        return "it holds a $ that is no ${NAME}"
    if url.scheme == "file":
        is_folder = not url.netloc and url.path.startswith("/") and url.path.strip("/")
        return None if is_folder else "expected a folder as file:///dir, from the root of the file system"
    return None if _BUCKET.fullmatch(url.netloc) else "expected a bucket's name of a-z, 0-9, - and . after ://"


def media_url_fault(text: str) -> str | None:
    """What is wrong with the URL of a media source; None where nothing is."""
    if not text.startswith(("file://", "s3://")):
        return "expected file:///dir or s3://bucket/prefix"
    return store_url_fault(text)


def refuse_inside(store_url: str, protected: Iterable[str]) -> None:
    """Raise ValueError where the store lies in or below one of the protected directories or bucket prefixes."""
    for place in protected:
        if _is_inside(store_url, place):
            raise ValueError(
                f"store.url {store_url} lies inside the application's own {place}: "
                "one accident would take both, choose a place outside"
            )


def _is_inside(inner: str, outer: str) -> bool:
    inner_scheme, inner_parts = _parts(inner)
    outer_scheme, outer_parts = _parts(outer)
    return inner_scheme == outer_scheme and inner_parts[: len(outer_parts)] == outer_parts


def _parts(place: str) -> tuple[str, tuple[str, ...]]:
    """Scheme and path components, links resolved; a plain path counts as a file URL."""
    url = urlsplit(place)
    if url.scheme in ("", "file"):
        path = unquote(url.path) if url.scheme else place
        return "file", Path(path).resolve().parts
    return url.scheme, (url.netloc, *(part for part in url.path.split("/") if part))
