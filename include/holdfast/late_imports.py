"""Lets a package offer names whose modules are imported when a name is first asked for: a command needs few of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def late_imports(package: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """The ``__getattr__`` of a package whose names lie in the modules that ``places`` tells."""

    def getattr_of_package(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{places[name]}"), name)

    return getattr_of_package
