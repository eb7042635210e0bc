"""Taking media snapshots: a walk beside the last snapshot, changed files into shards, the signed manifest last."""

from holdfast.backup.media.facts import SyncFacts
from holdfast.backup.media.step import discard_snapshot, media_draft, snapshot_media
from holdfast.backup.media.sync import sync_media

__all__ = ["SyncFacts", "discard_snapshot", "media_draft", "snapshot_media", "sync_media"]
