"""The checked-in OpenAPI schema, from which the types of the pages are made, is that of the application."""

import json

from backend.app import SCHEMA_FILE, openapi


def test_the_checked_in_schema_is_current():
    assert json.loads(SCHEMA_FILE.read_text()) == openapi(), "run `python -m backend.app`"


def test_operations_are_named_after_their_functions_and_described():
    operations = [operation for path in openapi()["paths"].values() for operation in path.values()]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    for operation in operations:
        assert operation["operationId"].isidentifier()
        assert operation["description"].strip()
        assert "application/problem+json" in operation["responses"]["4XX"]["content"]
