"""Reads an inventory file; what is wrong is said with file, line, variable and reason, and never with a value."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from holdfast.errors import InventoryError
from holdfast.inventory.credentials import credential_in
from holdfast.inventory.model import Inventory, Variable
from holdfast.policy.strict_yaml import Document, NotYaml, Place, fault_place, fault_reason, told_faults

_MAX_BYTES = 4 << 20
_VALUE_FIELD = re.compile(r"value|secret|pass|pwd|token|key|credential|default|example|content|data", re.IGNORECASE)
_PLAIN_FIELD = re.compile(r"[A-Za-z][A-Za-z_ -]{0,39}")
_NO_VALUES = "An inventory names variables and never holds their values: take it out, and rotate it if it was real."
_FIELDS = set(Variable.model_fields) | set(Inventory.model_fields)


def load_inventory(path: Path) -> Inventory:
    """The inventory in ``path``; raises InventoryError that tells all faults together and repeats no value.

    Anything that looks like a credential is refused wherever it stands, comments included.
    """
    text = _read(path)
    _demand_clean(path, enumerate(text.splitlines(), start=1))
    try:
        document = Document.parse(text)
    except NotYaml as error:
        fault = error
    else:
        # Written with escapes or over several lines, a credential shows only once YAML has put it together.
        _demand_clean(path, document.scalars())
        return _validated(path, document)
    # Outside of the handler: not even the cause of the error may hold a line of the file.
    line = f", line {fault.line}" if fault.line else ""
    raise InventoryError(f"inventory {path}{line}: {fault.bare_reason}")


def _read(path: Path) -> str:
    try:
        if path.is_dir():
            raise InventoryError(f"inventory {path}: is a directory", hint="Correct inventory.file in the policy.")
        if not path.is_file():
            raise InventoryError(
                f"inventory {path}: {'no regular file' if path.exists() else 'no such file'}",
                hint="Correct inventory.file in the policy, or write the file.",
            )
        if path.stat().st_size > _MAX_BYTES:
            raise InventoryError(f"inventory {path}: larger than {_MAX_BYTES >> 20} MiB")
        content = path.read_bytes()
    except OSError as error:
        raise InventoryError(f"inventory {path}: {(error.strerror or 'unreadable').lower()}") from error
    text = content.decode("utf-8-sig", errors="surrogateescape")
    if any("\udc80" <= character <= "\udcff" for character in text):
        raise InventoryError(f"inventory {path}: not UTF-8 text")
    return text


def _demand_clean(path: Path, lines: object) -> None:
    found = {line: kind for line, text in lines if (kind := credential_in(text)) is not None}  # type: ignore[attr-defined]
    if found:
        told = "; ".join(f"line {line}: looks like it holds {kind}" for line, kind in sorted(found.items()))
        raise InventoryError(f"inventory {path}: {told}", hint=_NO_VALUES)


def _validated(path: Path, document: Document) -> Inventory:
    if not isinstance(document.data, dict):
        raise InventoryError(f"inventory {path}: expected the field variables, found none")
    try:
        return Inventory.model_validate(document.data)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False)
    faults = [_fault(document, detail) for detail in told_faults(details)]
    hint = _NO_VALUES if any(_is_value_field(detail) for detail in details) else None
    raise InventoryError(f"inventory {path}: " + "; ".join(faults), hint=hint)


def _is_value_field(detail: ErrorDetails) -> bool:
    return detail["type"] == "extra_forbidden" and _VALUE_FIELD.search(str(detail["loc"][-1])) is not None


def _fault(document: Document, detail: ErrorDetails) -> str:
    at = fault_place(detail)
    line = document.line(at)
    reason = fault_reason(detail, _FIELDS)
    if _is_value_field(detail):
        reason = "values are refused"
    words = [word for word in (f"line {line}" if line else "", _variable(document, at), _field(at)) if word]
    return ": ".join([*words, reason])


def _variable(document: Document, at: Place) -> str:
    """The variable that the fault is about, by its name where it has a sound one."""
    if len(at) < 2 or at[0] != "variables" or not isinstance(at[1], int):
        return ""
    entries = document.data.get("variables")
    entry = entries[at[1]] if isinstance(entries, list) and at[1] < len(entries) else None
    name = entry.get("name") if isinstance(entry, dict) else None
    is_sound = isinstance(name, str) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}", name)
    return f"variable {name}" if is_sound else f"variable number {at[1] + 1}"


def _field(at: Place) -> str:
    """The field's name; one that is no plain word is not repeated, for it may be what was to be kept out."""
    names = [str(part) for part in (at[2:] if len(at) > 1 and at[0] == "variables" else at)]
    return ".".join(name if name.isdigit() or _PLAIN_FIELD.fullmatch(name) else "a field" for name in names)
