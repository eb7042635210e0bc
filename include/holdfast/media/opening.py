"""Opens the place that the media lie in."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from holdfast.media.directory_source import DirectorySource
from holdfast.media.source import Source
from holdfast.values.connection import Connection


def open_source(url: str, connection: Connection | None) -> Source:
    """The source behind ``file:///dir`` or ``s3://bucket/prefix``; nothing is read yet."""
    if url.startswith("file://"):
        return DirectorySource(Path(unquote(urlsplit(url).path)))
    # boto3 is slow to import.
    from holdfast.media.bucket_source import open_bucket_source

    return open_bucket_source(url, connection)
