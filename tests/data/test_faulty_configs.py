"""A posted config with a fault in any key is refused by that key, or read; it never crashes."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from service.catalog.families import architecture
from service.catalog.models import load_models
from service.domain.architecture import counts
from service.domain.errors import InvalidRequest, UnknownName

MODELS = load_models(Path(__file__).parents[2] / "config" / "models")
FAULTS = ("x", -1, [{}], {"a": 1.5})


def one_of_each_family() -> Mapping[str, Mapping[str, object]]:
    """The first model of every family."""
    found: dict[str, Mapping[str, object]] = {}
    for entry in MODELS:
        kind = entry.config.get("model_type") or entry.config.get("_class_name")
        found.setdefault(str(kind), entry.config)
    return found


FAMILIES = one_of_each_family()


def refused_field(config: Mapping[str, object]) -> str | None:
    """The field that a config is refused for; None where it describes a model."""
    try:
        model = architecture(config, "faulty")
    except UnknownName as refusal:
        return refusal.kind
    except InvalidRequest as refusal:
        return refusal.field
    assert counts(model).parameters > 0
    return None


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_no_fault_of_a_key_crashes(family: str) -> None:
    config = FAMILIES[family]
    faulty = ({**config, key: fault} for key in config for fault in FAULTS)
    fields = {refused_field(one) for one in faulty}
    named = {field for field in fields if field is not None}
    assert named
    assert all(field.startswith("model.config.") or "model_type" in field for field in named)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_config_without_one_of_its_keys_is_refused_or_read(family: str) -> None:
    config = FAMILIES[family]
    shorter = ({k: v for k, v in config.items() if k != key} for key in config)
    assert all(field is None or "." in field for field in map(refused_field, shorter))
