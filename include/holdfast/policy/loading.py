"""Reads a policy file; what is wrong is said with file, line, field and reason."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from holdfast.errors import PolicyError
from holdfast.policy.model import EnvironmentPolicy, Policy, TierPolicy

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
# Only places are expanded: a variable's value elsewhere could smuggle a secret into logs and manifests.
_EXPANDED = {
    ("store", "url"),
    ("media", "source"),
    ("keys", "recipients_file"),
    ("keys", "identity_file"),
    ("keys", "signing_key_file"),
    ("keys", "verify_key_file"),
    ("inventory", "file"),
    ("inventory", "names_from"),
    ("drill", "app_dir"),
    ("release_dir",),
}
Path_ = tuple[str | int, ...]


class _Loader(yaml.SafeLoader):
    """YAML's safe subset, which by itself keeps the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"field {key.value!r} stands twice", key.start_mark)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def load_policy(path: Path, variables: Mapping[str, str] | None = None) -> Policy:
    """The policy in ``path``, with ``${NAME}`` in places filled from ``variables`` (default: the environment).

    Raises PolicyError for anything that is wrong with it; all faults of one file are named together.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "unreadable").lower() if isinstance(error, OSError) else "not UTF-8 text"
        raise PolicyError(f"policy {path}: {reason}", hint="Give the path of a policy file.") from error
    node, data = _parse(path, text)
    expanded = _expand(path, data, os.environ if variables is None else variables)
    try:
        return Policy.model_validate(expanded)
    except ValidationError as error:
        faults = [_fault(node, detail) for detail in error.errors(include_url=False)]
        raise PolicyError(f"policy {path}: " + "; ".join(faults)) from error


def _parse(path: Path, text: str) -> tuple[yaml.Node | None, Any]:
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            data = loader.construct_document(node) if node is not None else None
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise PolicyError(f"policy {path}{line}: {error.problem or error.context}") from error
    except RecursionError:
        raise PolicyError(f"policy {path}: nested too deeply to be a policy") from None
    except (yaml.YAMLError, ValueError) as error:
        raise PolicyError(f"policy {path}: not YAML: {error}") from error
    if not isinstance(data, dict):
        raise PolicyError(f"policy {path}: expected the fields app and environments, found none")
    return node, data


def _expand(path: Path, data: dict[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Fill variables in the places of each environment, and make relative paths relative to the policy file."""
    environments = data.get("environments")
    if not isinstance(environments, dict):
        return data
    filled = {name: _fill(path, (str(name),), (), value, variables) for name, value in environments.items()}
    return {**data, "environments": filled}


def _fill(path: Path, at: tuple[str, ...], field: tuple[str, ...], value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _fill(path, (*at, str(key)), (*field, str(key)), item, variables) for key, item in value.items()}
    if field not in _EXPANDED or not isinstance(value, str):
        return value

    def replaced(found: re.Match[str]) -> str:
        if found[1] not in variables:
            where = ".".join(("environments", *at))
            raise PolicyError(
                f"policy {path}: {where}: the environment variable {found[1]} is not set",
                hint=f"Set {found[1]}, or write the place out in the policy.",
            )
        return variables[found[1]]

    text = _VARIABLE.sub(replaced, value)
    is_path = field[-1].endswith(("file", "dir", "names_from"))
    return str((path.parent / text).absolute()) if is_path and not Path(text).is_absolute() else text


def _fault(node: yaml.Node | None, detail: ErrorDetails) -> str:
    at: Path_ = tuple(part for part in detail["loc"] if part != "[key]")
    field = ".".join(str(part) for part in at)
    line = _line(node, at)
    reason = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        reason = "unknown field" + _suggestion(str(at[-1]), _fields())
    elif detail["loc"][-1] == "[key]":
        reason += _suggestion(str(at[-1]), _fields())
    elif detail["type"] == "missing":
        reason = "is missing"
    reason = reason[0].lower() + reason[1:]
    return f"{f'line {line}: ' if line else ''}{field}{': ' if field else ''}{reason}"


def _suggestion(word: str, known: set[str]) -> str:
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _fields() -> set[str]:
    tiers = set(EnvironmentPolicy.model_fields["tiers"].annotation.__args__[0].__args__)  # type: ignore[union-attr]
    sections = [
        field.annotation
        for field in EnvironmentPolicy.model_fields.values()
        if hasattr(field.annotation, "model_fields")
    ]
    inner = {name for section in sections for name in section.model_fields}  # type: ignore[union-attr]
    outer = set(Policy.model_fields) | set(EnvironmentPolicy.model_fields) | set(TierPolicy.model_fields)
    return tiers | inner | outer


def _line(node: yaml.Node | None, at: Path_) -> int | None:
    """The line on which the field stands, or, when it is missing, the section that should have it."""
    line: int | None = None
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
