"""The contract file: valid, readable, and with the same routes and parameters as the code."""

import pytest
from flask import Flask
from openapi_spec_validator import validate

from service.api.catalog_routes import TESTS
from service.api.filters import ENGINES, GPUS, MODELS, OPTIMIZERS, QUANTIZATIONS
from service.api.flat import ALIASES, ESTIMATE_PLACES, PLAN_PLACES
from service.api.rendering import RENDER
from service.api.sheets.parameters import DECIMALS, FLAGS, ON_ERROR, SEPARATORS
from service.api.sheets.questions import QUESTIONS
from service.api.sheets.routes import SCALAR_OPTIONS
from service.presentation.renderers.table import SYSTEMS
from service.presentation.sheets.fields import UNITS
from service.presentation.sheets.forms import FORMS, TEXT_OPTIONS
from service.presentation.sheets.ready.files import READY
from tests.support.contract import DOCUMENT, ROOT, contract_path, operations, resolved

ONLY_OF_ESTIMATES = {
    *(set(ESTIMATE_PLACES) - set(PLAN_PLACES)),
    *(short for short, name in ALIASES.items() if name in set(ESTIMATE_PLACES) - set(PLAN_PLACES)),
}


def query_parameters(path: str) -> set[str]:
    listed = [resolved(entry) for entry in DOCUMENT["paths"][path]["get"]["parameters"]]
    return {entry["name"] for entry in listed if entry["in"] == "query"}


def test_the_contract_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_its_lines_are_short_enough_to_read() -> None:
    text = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    assert max(map(len, text.splitlines())) <= 140


def test_every_route_is_in_the_contract_and_the_other_way_round(app: Flask) -> None:
    routes = {
        (contract_path(rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert routes == {(path, method) for path, method, _ in operations()}


@pytest.mark.parametrize(
    ("path", "places"),
    [
        ("/v1/estimates", ESTIMATE_PLACES),
        ("/v1/estimates.{form}", ESTIMATE_PLACES),
        ("/v1/plans", PLAN_PLACES),
        ("/v1/plans.{form}", PLAN_PLACES),
        ("/v1/scalar/{field}", PLAN_PLACES),
    ],
)
def test_every_query_parameter_is_in_the_contract(path: str, places: dict[str, object]) -> None:
    short = {alias for alias, name in ALIASES.items() if name in places}
    assert query_parameters(path) == set(places) | short


def test_every_system_is_in_the_contract() -> None:
    promised = resolved({"$ref": "#/components/parameters/render"})["schema"]["enum"]
    assert promised == list(SYSTEMS)


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("/v1/estimates.{form}", TEXT_OPTIONS),
        ("/v1/estimates/batch", TEXT_OPTIONS),
        ("/v1/plans", {RENDER}),
        ("/v1/plans.{form}", TEXT_OPTIONS),
        ("/v1/plans/batch", TEXT_OPTIONS),
        ("/v1/scalar/{field}", SCALAR_OPTIONS | ONLY_OF_ESTIMATES),
    ],
)
def test_every_parameter_of_a_form_is_in_the_contract(path: str, options: set[str]) -> None:
    listed = [resolved(entry) for entry in DOCUMENT["paths"][path]["parameters"]]
    assert {entry["name"] for entry in listed if entry["in"] == "query"} == options


@pytest.mark.parametrize(
    ("name", "known"),
    [("form", FORMS), ("sep", SEPARATORS), ("decimal", DECIMALS), ("header", FLAGS), ("bom", FLAGS),
     ("unit", UNITS), ("on_error", ON_ERROR), ("of", QUESTIONS), ("file", READY)],
)  # fmt: skip
def test_the_words_of_a_parameter_are_those_of_the_contract(
    name: str, known: dict[str, object]
) -> None:
    entry = DOCUMENT["components"]["parameters"][name]
    assert set(entry["schema"]["enum"]) == set(known)


@pytest.mark.parametrize(
    ("path", "schema"),
    [
        ("/v1/gpus", GPUS),
        ("/v1/models", MODELS),
        ("/v1/quantizations", QUANTIZATIONS),
        ("/v1/engines", ENGINES),
        ("/v1/optimizers", OPTIMIZERS),
    ],
)
def test_every_filter_is_in_the_contract_and_does_something(path: str, schema: object) -> None:
    assert query_parameters(path) == set(schema.fields)
    assert set(schema.fields) <= set(TESTS)


def test_every_component_is_used() -> None:
    text = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    unused = [
        f"{kind}/{name}"
        for kind, entries in DOCUMENT["components"].items()
        for name in entries
        if f'"#/components/{kind}/{name}"' not in text
        and f'"#/components/{kind}/{name}/' not in text
    ]
    assert unused == []
