"""The demo's uploaded files: one for each path in Coursepedia's database, and what else lies in such folders."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg

from holdfast.recovery.cluster import Cluster
from holdfast_embedded.demo.databases import DEMO_DATABASES
from holdfast_embedded.demo.drawings import pdf, png, qr
from holdfast_embedded.generated import Secrets

_LATEST = "certificates/latest.png"
# Names that a backup must bring back byte by byte; no row refers to them.
_ODD_NAMES = (
    "courses/Café & Müsli, première leçon.txt".encode(),
    "courses/हिन्दी.txt".encode(),
    b"courses/two\nlines.txt",
    b"courses/not-utf-8-\xff\xfe.txt",
    b"courses/" + b"n" * 251 + b".txt",
)
_EMPTY = "courses/drafts"


def make_media(server: Cluster, secrets: Secrets, folder: Path) -> None:
    """Write the files that are missing; what is there already is left as it is."""
    demo = DEMO_DATABASES[0]
    with psycopg.connect(server.url(demo.name, demo.owner, secrets.owner_password)) as session:
        rows = session.execute("SELECT path, caption FROM media_files ORDER BY path").fetchall()
    for path, caption in rows:
        _write(folder / path, partial(_content, path, caption))
    for name in _ODD_NAMES:
        _write(Path(os.fsdecode(os.fsencode(folder) + b"/" + name)), lambda: b"a name that is hard to bring back\n")
    (folder / _EMPTY).mkdir(exist_ok=True)
    latest = folder / _LATEST
    if not latest.is_symlink():
        latest.symlink_to(next(Path(path).name for path, _ in reversed(rows) if path.startswith("certificates/")))


def _content(path: str, caption: str) -> bytes:
    if path.startswith("qr/"):
        return qr(caption)
    if path.endswith(".png"):
        return png(caption)
    return pdf(caption) if path.endswith(".pdf") else f"Notes on {caption}.\n".encode()


def _write(path: Path, content: Callable[[], bytes]) -> None:
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content())
