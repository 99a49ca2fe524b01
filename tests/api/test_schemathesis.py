"""Every operation of the OpenAPI document is asked for what the document says of it: no fault of ours, and no answer that it does not list."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from tests.api.conftest import Api
from tests.installations import API_TOKEN

CHECKS = [status_code_conformance, content_type_conformance, response_schema_conformance]
"""A fault of ours, 500, is an answer that no operation lists; 503, where a part does not serve, some do."""
EXAMPLES = 3
"""Generated requests of one operation: the whole document has to take less than a minute."""


@pytest.mark.parametrize("methods", [{"get"}, {"post"}, {"put", "patch", "delete"}], ids=["read", "post", "change"])
def test_what_the_document_says_is_so(app: Flask, phone: dict[str, Any], admin: Api, methods: set[str]) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operations = [result.ok() for result in schema.get_all_operations()]
    chosen = [operation for operation in operations if operation.method in methods]
    assert len(chosen) > 10
    wrong = [told for operation in chosen if (told := _kept(operation))]
    assert not wrong, "\n\n".join(wrong)


def _kept(operation: Any) -> str:
    """Returns what an operation answers that its document does not say; empty where it keeps to it."""

    @seed(5)
    @settings(max_examples=EXAMPLES, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {API_TOKEN}"}, checks=CHECKS)

    try:
        ask()
    except FailureGroup as failures:
        return f"{operation.method.upper()} {operation.path}: {failures.exceptions[0]}"
    return ""
