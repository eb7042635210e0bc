"""A store in a local directory: each object is a file that appears whole, durable, and never over another."""

from __future__ import annotations

import builtins
import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from holdfast.errors import ObjectExists, ObjectMissing, StoreError, UsageError
from holdfast.storage import folders
from holdfast.storage.drafts import Draft, open_draft
from holdfast.storage.names import split_key, split_prefix
from holdfast.storage.pieces import ended_on_failure
from holdfast.storage.protocol import StoredObject
from holdfast.storage.tree import described, folders_in, objects_below
from holdfast.storage.writeback import EarlyWriter

_PIECE_BYTES = 1 << 20
_ATTEMPTS = 10
# In a bucket, a folder is no object and nothing lies below an object: both are simply not there.
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_HINTS = {
    errno.ENOSPC: "Free space on that file system, or let the policy keep less.",
    errno.EDQUOT: "Raise the quota of the user that runs this, or let the policy keep less.",
    errno.EROFS: "Mount that file system writable.",
    errno.EACCES: "Give the directory to the user that runs this.",
    errno.EPERM: "The file system must allow this user to write, and must offer hard links.",
    errno.EOPNOTSUPP: "The store needs a file system that offers hard links.",
    errno.EIO: "Check the disk: the kernel's log says more.",
}


class LocalStore:
    """Objects as files below ``root``, made on the first write: files 0600, folders 0700.

    An object is written without a name, flushed to disk, linked to its key (which fails where the key is
    taken) and its folders flushed. A writer that dies at any moment leaves no trace; see drafts.py for file
    systems that need more. ``open_draft`` chooses how that is done.
    """

    def __init__(self, root: Path, *, open_draft: Callable[[Sequence[int]], Draft] = open_draft) -> None:
        if not root.is_absolute():
            raise UsageError(f"store root {str(root)!r}: is not an absolute path")
        self._root = root
        self._open_draft = open_draft

    @property
    def url(self) -> str:
        """The root as a file URL."""
        return self._root.as_uri()

    def put(self, key: str, pieces: Iterable[bytes], *, size_hint_bytes: int | None = None) -> int:
        """Store the pieces under ``key``; see Store."""
        *parents, name = split_key(key)
        with ended_on_failure(pieces), self._draft(key, parents, name) as draft:
            writer = EarlyWriter(draft.file)
            for piece in pieces:
                with self._explained("write", key):
                    writer.write(piece)
            with self._explained("write", key):
                writer.finish()
                os.fsync(draft.file)
                self._publish(draft, parents, name)
        return writer.size_bytes

    def get(self, key: str) -> bytes:
        """The whole object; see Store."""
        # One read of its size: a buffer for a large piece costs more than a small object.
        with self._reading(key) as file, os.fdopen(file, "rb", buffering=0, closefd=False) as whole:
            return whole.readall()

    def stream(self, key: str) -> Iterator[bytes]:
        """The object in pieces of 1 MiB; see Store."""
        with self._reading(key) as file:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_SEQUENTIAL)
            while piece := os.read(file, _PIECE_BYTES):
                yield piece

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Part of the object; see Store."""
        found = bytearray()
        with self._reading(key) as file:
            while len(found) < length and (piece := os.pread(file, length - len(found), offset + len(found))):
                found += piece
        return bytes(found)

    def head(self, key: str) -> StoredObject:
        """Facts of the object; see Store."""
        with self._reading(key) as file:
            return described(key, os.fstat(file))

    def list(self, prefix: str, *, after: str = "") -> Iterator[StoredObject]:
        """Every object below the prefix, in key order; see Store."""
        names = split_prefix(prefix)
        with self._explained("list", prefix):
            try:
                with folders.entered(self._root, names) as chain:
                    yield from objects_below(chain[-1], prefix, after)
            except _ABSENT:
                return

    def delete(self, key: str) -> None:
        """Remove the object and the folders that it leaves empty; see Store."""
        *parents, name = split_key(key)
        with self._explained("delete", key):
            try:
                with folders.entered(self._root, parents) as chain:
                    os.unlink(name, dir_fd=chain[-1])
                    os.fsync(chain[-1])
            except _ABSENT:
                return
        folders.prune(self._root, parents)

    def folders(self, prefix: str) -> builtins.list[str]:
        """The names of the folders right below the prefix; see Store."""
        names = split_prefix(prefix)
        with self._explained("list", prefix):
            try:
                with folders.entered(self._root, names) as chain:
                    return folders_in(chain[-1])
            except _ABSENT:
                return []

    @contextmanager
    def _draft(self, key: str, parents: Sequence[str], name: str) -> Iterator[Draft]:
        """A draft for an object whose key is not taken; what it needed is cleared away if the block fails."""
        try:
            with self._explained("write", key):
                draft = self._retried(lambda: self._begin(parents, name))
            try:
                yield draft
            finally:
                draft.close()
        except BaseException:
            folders.prune(self._root, parents)
            raise

    def _begin(self, parents: Sequence[str], name: str) -> Draft:
        with folders.entered(self._root, parents, create=True) as chain:
            with suppress(FileNotFoundError):
                os.stat(name, dir_fd=chain[-1], follow_symlinks=False)
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            return self._open_draft(chain)

    def _publish(self, draft: Draft, parents: Sequence[str], name: str) -> None:
        def link() -> None:
            with folders.entered(self._root, parents, create=True) as chain:
                draft.publish(name, chain[-1])
                try:
                    folders.sync(chain)
                except BaseException:
                    os.unlink(name, dir_fd=chain[-1])
                    raise

        self._retried(link)

    def _retried[Result](self, act: Callable[[], Result]) -> Result:
        """``act``, again if somebody's delete takes a folder away that was empty between two of its steps."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return act()
            except FileNotFoundError:
                continue
        return act()

    @contextmanager
    def _reading(self, key: str) -> Iterator[int]:
        *parents, name = split_key(key)
        with self._explained("read", key):
            try:
                with folders.entered(self._root, parents) as chain:
                    file = folders.open_file(name, chain[-1])
            except _ABSENT as error:
                raise ObjectMissing(f"store {self.url}: {key} does not exist") from error
            try:
                yield file
            finally:
                os.close(file)

    @contextmanager
    def _explained(self, act: str, key: str) -> Iterator[None]:
        """Turn what the system says into our errors, which name store, key and reason."""
        try:
            yield
        except FileExistsError as error:
            raise ObjectExists(f"store {self.url}: {key} exists already and is not overwritten") from error
        except UsageError as error:
            raise UsageError(f"store {self.url}: cannot {act} {key}: {error.message}", hint=error.hint) from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            hint = _HINTS.get(error.errno or 0)
            raise StoreError(f"store {self.url}: cannot {act} {key or 'its root'}: {reason}", hint=hint) from error
