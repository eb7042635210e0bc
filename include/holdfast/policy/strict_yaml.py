"""Reads YAML strictly, and finds the line of a fault: for every file that people write for Holdfast."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import yaml
from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
# What YAML itself is written with, as its reader tells it, repeats nothing of the text.
_SIGN = re.compile(r"['\"](?:[^\w\s'\"]{1,3}|\\[tnrx0-9]{1,3}|<[a-z ]+>)['\"]")


class NotYaml(ValueError):
    """Text that cannot be read; ``line`` is where, counted from 1, as far as that is known.

    ``reason`` may quote the text; ``bare_reason`` never does.
    """

    def __init__(self, line: int | None, reason: str, bare_reason: str | None = None) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason
        self.bare_reason = bare_reason or _QUOTED.sub(_bare, reason)


def _bare(found: re.Match[str]) -> str:
    return found[0] if _SIGN.fullmatch(found[0]) else "…"


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, which by itself keeps the last of two equal keys without a word.

    Of a date or number that is none, such as 2027-13-01, it does not say where it stands.
    """

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except ValueError as error:
            problem = f"looks like a date or number and is none: {error}"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"field {key.value!r} stands twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML text says, and where."""

    data: Any
    node: yaml.Node | None

    @classmethod
    def parse(cls, text: str) -> Document:
        """Read one document; raises NotYaml, outside of PyYAML's own error, which would show the text."""
        try:
            loader = _Loader(text)
            try:
                node = loader.get_single_node()
                return cls(loader.construct_document(node) if node is not None else None, node)
            finally:
                loader.dispose()
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else None
            fault = NotYaml(line, error.problem or error.context or "not YAML")
        except RecursionError:
            fault = NotYaml(None, "nested too deeply")
        except yaml.reader.ReaderError as error:
            fault = NotYaml(text.count("\n", 0, error.position) + 1, f"not YAML: {error.reason}")
        except (yaml.YAMLError, ValueError) as error:
            fault = NotYaml(None, f"not YAML: {error}", "not YAML")
        raise fault

    def line(self, at: Place) -> int | None:
        """The line on which a field stands, or, when it is missing, the section that should have it."""
        line: int | None = None
        node = self.node
        for part in at:
            if isinstance(node, yaml.MappingNode):
                pairs = [(key, value) for key, value in node.value if key.value == str(part)]
                if not pairs:
                    return line
                line, node = pairs[0][0].start_mark.line + 1, pairs[0][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
        return line

    def scalars(self) -> Iterator[tuple[int, str]]:
        """Line and text of every key and value, each once however often it is referred to."""
        waiting = [self.node] if self.node is not None else []
        seen: set[int] = set()
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, yaml.ScalarNode):
                yield node.start_mark.line + 1, node.value
            elif isinstance(node, yaml.MappingNode):
                waiting += [part for pair in node.value for part in pair]
            elif isinstance(node, yaml.SequenceNode):
                waiting += node.value


def fault_place(detail: ErrorDetails) -> Place:
    """Where in the document a fault of pydantic's lies."""
    return tuple(part for part in detail["loc"] if part != "[key]")


def told_faults(details: Iterable[ErrorDetails]) -> list[ErrorDetails]:
    """The faults without those that only follow: a list counts as empty where all of its entries have faults."""
    found = list(details)
    places = [fault_place(detail) for detail in found]

    def follows(detail: ErrorDetails) -> bool:
        at = fault_place(detail)
        return detail["type"] == "too_short" and any(
            len(other) > len(at) and other[: len(at)] == at for other in places
        )

    return [detail for detail in found if not follows(detail)]


def fault_reason(detail: ErrorDetails, known: set[str]) -> str:
    """What is wrong, in the words that a message goes on with; ``known`` are fields that may have been meant."""
    last = str(fault_place(detail)[-1]) if fault_place(detail) else ""
    reason = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        reason = "unknown field" + suggestion(last, known)
    elif detail["loc"] and detail["loc"][-1] == "[key]":
        reason += suggestion(last, known)
    elif detail["type"] == "missing":
        reason = "is missing"
    elif detail["type"] == "too_short":
        reason = "expected at least one entry, found none"
    return reason[0].lower() + reason[1:]


def suggestion(word: str, known: set[str]) -> str:
    """The field that a misspelt one was meant to be, ready to be appended; empty where none is near."""
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""
