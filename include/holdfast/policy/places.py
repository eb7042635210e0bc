"""Where a backup may not lie: inside what it protects, for one accident would then take both."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

STORE_SCHEMES = ("file://", "s3://", "gs://", "az://", "abfs://")


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
