"""Contents that are in the store no more, or soon shall not be: their files are packed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from holdfast.media.records import ShardUse
from holdfast.storage.protocol import StoredObject


class Losses:
    """Tells lost contents; empty (False) where nothing is lost, so that the walk need not ask for each file.

    A shard counts as lost when it is missing or has another size than recorded, when not all of the present
    ``recipients`` can open it, and also when the newest snapshot wants less than half of its bytes: then expire can
    remove it one day. ``is_damaged`` is what checks have found.
    """

    def __init__(
        self,
        shards: tuple[ShardUse, ...],
        stored: Mapping[str, StoredObject],
        is_damaged: Callable[[str, str], bool] | None,
        recipients: tuple[str, ...],
    ) -> None:
        sizes = {name: found.size_bytes for name, found in stored.items()}
        self.missing = {shard.id for shard in shards if sizes.get(shard.id) != shard.bytes}
        self.sparse = {shard.id for shard in shards if 2 * shard.wanted_bytes < shard.data_bytes} - self.missing
        self.closed = {shard.id for shard in shards if is_closed(shard, recipients)} - self.missing
        self._shards = self.missing | self.sparse | self.closed
        self._is_damaged = is_damaged

    def __bool__(self) -> bool:
        return bool(self._shards) or self._is_damaged is not None

    def __call__(self, shard: str, sha256: str) -> bool:
        """Whether that content is lost."""
        return shard in self._shards or (self._is_damaged is not None and self._is_damaged(shard, sha256))


def is_closed(shard: ShardUse, recipients: tuple[str, ...]) -> bool:
    """Whether somebody who is to read backups now cannot open that shard."""
    return bool(shard.recipients) and not set(recipients) <= set(shard.recipients)
