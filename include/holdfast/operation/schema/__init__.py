"""What a database's definitions are, in a restore point and live, and how they differ."""

from holdfast.operation.schema.comparison import SchemaDifference, compare_schemas
from holdfast.operation.schema.model import Schema
from holdfast.operation.schema.reading import compare_with_live, schema_of_live, schema_of_point

__all__ = [
    "Schema",
    "SchemaDifference",
    "compare_schemas",
    "compare_with_live",
    "schema_of_live",
    "schema_of_point",
]
