"""What is asked of a recovery of rows: keys or a predicate, one of both."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from holdfast.errors import UsageError
from holdfast.operation.rows.request import RowsRequest


def test_a_request_has_keys_or_a_predicate() -> None:
    """One of both; values of one column come together."""
    for wrong in ({}, {"keys": [("id", "1")], "predicate": "true"}, {"keys": [("id", "1")], "limit": 0}):
        with pytest.raises(ValidationError):
            RowsRequest.model_validate({"table": "course", **wrong})
    request = RowsRequest(table="course", keys=(("a", "1"), ("b", "2"), ("a", "3"), ("a", "1")))
    assert request.wanted == {"a": ("1", "3"), "b": ("2",)}
    with pytest.raises(UsageError, match="zero byte"):
        RowsRequest(table="course", keys=(("a", "\0"),)).demand_readable()
    with pytest.raises(UsageError, match="semicolon"):
        RowsRequest(table="course", predicate="true; true").demand_readable()
