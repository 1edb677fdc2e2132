"""Every term's formula can be ticked off beside its source: its docstring has the fixed form."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from service.domain.engines.table import ENGINE_MODELS
from service.domain.ranks import waiting_share_bytes
from service.domain.sharding_buffers import sharding_buffer_bytes
from service.domain.training_logits import logit_peak_bytes
from service.domain.training_phases import dequantization_bytes
from service.domain.training_sharding import (
    accumulated_gradient_bytes,
    adapters_on_card,
    gradients_on_card,
    master_on_card,
    optimizer_states_on_card,
    weights_on_card,
    workspace_on_card,
)

TRAINING = (
    weights_on_card,
    adapters_on_card,
    gradients_on_card,
    accumulated_gradient_bytes,
    optimizer_states_on_card,
    master_on_card,
    workspace_on_card,
    logit_peak_bytes,
    sharding_buffer_bytes,
    dequantization_bytes,
    waiting_share_bytes,
)
SERVING = (
    *(model.weights for model in ENGINE_MODELS.values()),
    # the form of the weights wraps the engine's own function, which stands above
    *(t.expected for m in ENGINE_MODELS.values() for t in m.terms if t.name != "weights"),
)
FORMULAS: dict[str, Callable[..., Any]] = {
    f"{one.__module__}.{one.__name__}": one for one in (*SERVING, *TRAINING)
}
FORMULA = re.compile(r"^\S.* = \S", re.MULTILINE)
PARTS = ("Holds when:", "Source:", "Checked by:")


def faults(text: str) -> list[str]:
    """What a formula's docstring lacks."""
    first, _, rest = text.partition("\n")
    formula = rest.split(PARTS[0])[0]
    found = [] if first.endswith("[B]") else ["[B]"]
    found += [] if FORMULA.search(formula) else ["formula"]
    return found + [part for part in PARTS if not re.search(rf"^{part} +\S", rest, re.MULTILINE)]


@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_a_term_states_unit_formula_validity_source_and_a_number(name: str) -> None:
    assert faults(inspect.getdoc(FORMULAS[name]) or "") == []


def test_a_docstring_without_its_parts_is_found() -> None:
    assert faults("Weights. [B]\n\nM = 2·P") == list(PARTS)
    assert faults("Weights.") == ["[B]", "formula", *PARTS]
