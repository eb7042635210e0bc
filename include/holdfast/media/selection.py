"""The entries of a snapshot that patterns mean, each once, read of the listing no further than they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from holdfast.media.entries import Entry, parse
from holdfast.media.globs import Glob
from holdfast.media.listing import ListingSearch


class Selection:
    """All entries, or those that one of ``globs`` means. Afterwards ``unmet`` has the patterns that meant nothing."""

    def __init__(self, listing: ListingSearch, globs: Sequence[Glob]) -> None:
        self._listing, self._globs = listing, globs
        self.unmet = [glob.text for glob in globs]

    def entries(self) -> Iterator[Entry]:
        """The entries, those of one pattern in the order of the listing."""
        if not self._globs:
            yield from map(parse, self._listing.below())
        for number, glob in enumerate(self._globs):
            for line in self._candidates(glob):
                entry = parse(line)
                if not glob.fits(entry.path):
                    continue
                if glob.text in self.unmet:
                    self.unmet.remove(glob.text)
                if not any(earlier.fits(entry.path) for earlier in self._globs[:number]):
                    yield entry

    def _candidates(self, glob: Glob) -> Iterator[bytes]:
        if glob.literal is None:
            yield from self._listing.below(glob.prefix)
            return
        line = self._listing.line(glob.literal)
        if line is not None:
            yield line
        yield from self._listing.below(glob.literal + b"/")
