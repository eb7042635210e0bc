"""What a walk must not end with: paths that nobody could read, or the look of a disk that is not mounted."""

from __future__ import annotations

from holdfast.errors import PermanentError
from holdfast.media.entries import printable
from holdfast.media.records import SnapshotManifest
from holdfast.media.snapshotting import Counts
from holdfast.media.source import Source

_SHOWN = 10
_MOUNTED_HINT = "Is its file system mounted? If it is right so, sync once with --force."


def demand_readable(source: Source, counts: Counts) -> None:
    """Raise PermanentError naming paths that could not be read."""
    if not counts.faults:
        return
    shown = "; ".join(f"{printable(path)}: {why}" for path, why in counts.faults[:_SHOWN])
    more = f"; and {len(counts.faults) - _SHOWN} more" if len(counts.faults) > _SHOWN else ""
    raise PermanentError(
        f"media source {source.url}: {len(counts.faults)} paths cannot be read: {shown}{more}",
        hint="Give the user that runs this the right to read them, or mend the disk; then run again.",
    )


def demand_plausible(source: Source, counts: Counts, parent: SnapshotManifest | None, *, has_unread: bool) -> None:
    """Raise PermanentError where files are gone as if their file system were not mounted.

    ``parent``: the snapshot that is built upon; ``has_unread``: there are others, of which none can be.
    """
    if not counts.files and (parent.files if parent else has_unread):
        held = f"the last snapshot holds {parent.files} files" if parent else "there are snapshots of it"
        raise PermanentError(f"media source {source.url}: it is empty, but {held}", hint=_MOUNTED_HINT)
    if parent is not None and parent.source == source.url and source.file_systems < parent.file_systems:
        raise PermanentError(
            f"media source {source.url}: its files lie on {source.file_systems} file systems, those of the last "
            f"snapshot lay on {parent.file_systems}",
            hint=_MOUNTED_HINT,
        )
