"""The policy's JSON Schema, for editors that complete and check YAML while it is written."""

from __future__ import annotations

from typing import Any

from holdfast.policy.model import Policy


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a policy file."""
    schema = Policy.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Holdfast policy"}
