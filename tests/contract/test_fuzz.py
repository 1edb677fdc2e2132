"""schemathesis over every operation, in process and with a seed: no answer outside the contract."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from service.app import create_app
from service.presentation.sheets.forms import XLSX
from tests.support.contract import DOCUMENT

schemathesis.serializer.alias(XLSX, "application/octet-stream")
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SCHEMA.app = create_app()
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.unsupported_method,
]
REFUSED = checks.negative_data_rejection
FORGIVING = {
    "/v1/plans.{form}", "/v1/estimates.{form}", "/v1/scalar/{field}",
    "/v1/plans/batch", "/v1/estimates/batch",
}  # fmt: skip
"""Where an empty cell is not given, a row keeps its error, and a cell may ask for it as text."""


@seed(20_261_124)
@settings(
    max_examples=15,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@SCHEMA.parametrize()
def test_no_request_leaves_the_contract(case: Any) -> None:
    checked = [one for one in CHECKS if case.path not in FORGIVING or one is not REFUSED]
    case.call_and_validate(checks=checked)
