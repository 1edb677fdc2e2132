"""The contract file: valid, and with the same routes as the code."""

from pathlib import Path

import yaml
from flask import Flask
from openapi_spec_validator import validate

CONTRACT = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text(encoding="utf-8"))


def test_the_contract_is_valid_openapi() -> None:
    validate(CONTRACT)


def test_every_route_is_in_the_contract_and_the_other_way_round(app: Flask) -> None:
    routes = {
        (rule.rule.replace("<path:name>", "{name}").replace("<name>", "{name}"), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    promised = {
        (path, method)
        for path, entry in CONTRACT["paths"].items()
        for method in entry
        if method in {"get", "post"}
    }
    assert routes == promised
