"""Where media must not be restored to: into the store, or into the midst of the source that snapshots are taken of."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from holdfast.environment import Environment
from holdfast.errors import UsageError
from holdfast.media.entries import shown


def demand_apart(environment: Environment, to: Path) -> None:
    """Raise UsageError for a target within the store, or below the media's source; the source itself may be mended."""
    title = f"restore target {shown(os.fsencode(to))}"
    store = _folder(environment.store.url)
    if store is not None and any(_is_same(folder, store) for folder in _upwards(to)):
        raise UsageError(
            f"{title}: it lies in the policy's own store {store}",
            hint="Choose a folder outside: expiry and checks take what lies there for their own.",
        )
    media = environment.policy.media
    source = None if media is None else _folder(media.source)
    if source is not None and any(_is_same(folder, source) for folder in _upwards(to)[1:]):
        raise UsageError(
            f"{title}: it lies in the media's own source {source}, the next snapshot would take it for new files",
            hint="Restore beside the source and switch, or restore into the source itself to bring back what is gone.",
        )


def _folder(url: str) -> Path | None:
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _upwards(path: Path) -> list[Path]:
    """The folder itself and all above it, links followed."""
    resolved = path.resolve()
    return [resolved, *resolved.parents]


def _is_same(one: Path, other: Path) -> bool:
    """Whether both lead to one folder, which a mount may show in two places; or would, once it is made."""
    try:
        return one.samefile(other)
    except OSError:
        return one == other.resolve()
