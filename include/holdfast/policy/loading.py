"""Reads a policy file; what is wrong is said with file, line, field and reason."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from holdfast.errors import PolicyError
from holdfast.policy.model import EnvironmentPolicy, Policy, TierPolicy
from holdfast.policy.strict_yaml import Document, NotYaml, fault_place, fault_reason, told_faults

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
    ("migration", "app_dir"),
    ("release_dir",),
}


def load_policy(path: Path, variables: Mapping[str, str] | None = None) -> Policy:
    """The policy in ``path``, with ``${NAME}`` in places filled from ``variables`` (default: the environment).

    Raises PolicyError for anything that is wrong with it; all faults of one file are named together.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or "unreadable").lower() if isinstance(error, OSError) else "not UTF-8 text"
        raise PolicyError(f"policy {path}: {reason}", hint="Give the path of a policy file.") from error
    document = _parse(path, text)
    expanded = _expand(path, document, os.environ if variables is None else variables)
    try:
        return Policy.model_validate(expanded)
    except ValidationError as error:
        faults = [_fault(document, detail) for detail in told_faults(error.errors(include_url=False))]
        raise PolicyError(f"policy {path}: " + "; ".join(faults)) from error


def _parse(path: Path, text: str) -> Document:
    try:
        document = Document.parse(text)
    except NotYaml as fault:
        line = f", line {fault.line}" if fault.line else ""
        raise PolicyError(f"policy {path}{line}: {fault.reason}") from fault
    if not isinstance(document.data, dict):
        raise PolicyError(f"policy {path}: expected the fields app and environments, found none")
    return document


def _expand(path: Path, document: Document, variables: Mapping[str, str]) -> dict[str, Any]:
    """Fill variables in the places of each environment, and make relative paths relative to the policy file."""
    data: dict[str, Any] = document.data
    environments = data.get("environments")
    if not isinstance(environments, dict):
        return data

    def fill(at: tuple[str, ...], value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill((*at, str(key)), item) for key, item in value.items()}
        # Fields stand below "environments" and the environment's name.
        return _filled(path, document, at, value, variables) if at[2:] in _EXPANDED else value

    return {**data, "environments": fill(("environments",), environments)}


def _filled(path: Path, document: Document, at: tuple[str, ...], value: Any, variables: Mapping[str, str]) -> Any:
    if not isinstance(value, str):
        return value

    def replaced(found: re.Match[str]) -> str:
        if found[1] not in variables:
            line = document.line(at)
            raise PolicyError(
                f"policy {path}: {f'line {line}: ' if line else ''}{'.'.join(at)}: "
                f"the environment variable {found[1]} is not set",
                hint=f"Set {found[1]}, or write the place out in the policy.",
            )
        return variables[found[1]]

    text = _VARIABLE.sub(replaced, value)
    if not text.strip():
        return ""
    is_path = at[-1].endswith(("file", "dir", "names_from"))
    return str((path.parent / text).absolute()) if is_path and not Path(text).is_absolute() else text


def _fault(document: Document, detail: ErrorDetails) -> str:
    at = fault_place(detail)
    field = ".".join(str(part) for part in at)
    line = document.line(at)
    return f"{f'line {line}: ' if line else ''}{field}{': ' if field else ''}{fault_reason(detail, _fields())}"


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
