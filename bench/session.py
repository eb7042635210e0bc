"""One run of the bench: its servers, databases, tools and engine, started when a measure first asks for them."""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property

from bench.engine import Engine
from bench.library import Holdfast, Library
from bench.peers import peers
from bench.physical import Physical, physical
from bench.place import Place
from bench.policy import LIBRARY, write_policy
from bench.scale import Scale
from bench.sources import BLOBS, REFERENCE, SETTINGS, ensure_sources
from bench.tools import Tools
from bench.trees import library
from bench.watch import Watch
from holdfast.postgres.conninfo import Target
from holdfast.postgres.wheel import wheel_folder
from holdfast.recovery.cluster import Cluster

TARGET = "restored"


class Session:
    """What measures share. Leaving it ends every server."""

    def __init__(self, place: Place, scale: Scale, rounds: int, watch: Watch) -> None:
        self.place = place
        self.scale = scale
        self.rounds = rounds
        self.watch = watch
        self._ending = ExitStack()
        self._physical: dict[int, tuple[Physical, ExitStack]] = {}

    def __enter__(self) -> Session:
        write_policy(self.place)
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.close()

    @cached_property
    def cluster(self) -> Cluster:
        """The PostgreSQL server with all source databases."""
        cluster = Cluster(self.place.cluster, wheel_folder(), config=SETTINGS)
        with self.watch.doing("starting PostgreSQL"):
            self._ending.enter_context(cluster)
        ensure_sources(cluster, self._tools_of(cluster), self.scale, self.watch)
        return cluster

    @cached_property
    def tools(self) -> Tools:
        """The other tools, on the same server."""
        tools = self._tools_of(self.cluster)
        self._ending.callback(tools.end_agent)
        return tools

    @cached_property
    def offline(self) -> Engine:
        """Holdfast without any connection, for what needs no server."""
        return Engine.of(self.place)

    @cached_property
    def engine(self) -> Engine:
        """Holdfast with its database connections."""
        engine = self.offline.knowing(TARGET, self.cluster.url(TARGET))
        for database in (REFERENCE, BLOBS):
            engine = engine.knowing(database, self.cluster.url(database))
        return engine

    @cached_property
    def library(self) -> Library:
        """The media tree, and all who back it up."""
        root = self.place.media / LIBRARY
        tree = self._ending.enter_context(library(root, self.scale, self.watch))
        return Library(tree, (Holdfast(self.offline), *peers(self.place, root)), self.rounds, self.watch)

    def physical(self, major: int) -> Physical:
        """The cluster of that major version whose files are backed up; it stays up until it is ended."""
        if major not in self._physical:
            ending = self._ending.enter_context(ExitStack())
            made = ending.enter_context(physical(self.place, major, self.offline, self.scale, self.watch))
            self._physical[major] = made, ending
        return self._physical[major][0]

    def end_physical(self, major: int) -> None:
        """Stop it, so that it takes nothing from what is measured next."""
        if major in self._physical:
            self._physical.pop(major)[1].close()

    def _tools_of(self, cluster: Cluster) -> Tools:
        return Tools.of(cluster.bin, Target.parse(cluster.url()), self.place.files)
