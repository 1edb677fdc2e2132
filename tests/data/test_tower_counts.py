"""Exact counts of models with towers: whole, by component, and what they cache.

`meta`: the class of transformers 5.23.0 built from the config on the meta device, its unique
parameters counted by component. `published`: the count of the repository's own files.
"""

import json
from pathlib import Path

import pytest

from service.catalog.models import entry_architecture, load_models
from service.domain.architecture import Architecture
from service.domain.sums import cache_rows, cached_elements_per_token, state_elements

HERE = Path(__file__).parent
TRUTH = json.loads((HERE / "truth_towers.json").read_text(encoding="utf-8"))
MODELS = load_models(HERE.parent.parent / "config" / "models")
BYTES = 2


def built(hub_id: str) -> Architecture:
    return entry_architecture(MODELS.pick(hub_id))


def having(key: str) -> list[str]:
    """Models whose truth states a figure."""
    return sorted(hub_id for hub_id, entry in TRUTH.items() if entry.get(key) is not None)


def tower_elements(model: Architecture, *, projector: bool) -> int:
    return sum(
        tensor.elements
        for tower in model.towers
        for tensor in tower.tensors()
        if (tensor.kind == "projector") == projector
    )


@pytest.mark.parametrize(
    "hub_id", [h for h in having("parameters") if TRUTH[h]["method"] == "meta"]
)
def test_parameters_equal_those_of_the_class_exactly(hub_id: str) -> None:
    assert built(hub_id).parameters == TRUTH[hub_id]["parameters"]


@pytest.mark.parametrize("hub_id", having("checkpoint"))
def test_the_files_hold_what_is_published_and_every_difference_has_a_name(hub_id: str) -> None:
    differences = TRUTH[hub_id].get("difference", {})
    counted = built(hub_id).checkpoint_parameters + sum(differences.values())
    assert counted == TRUTH[hub_id]["checkpoint"]


@pytest.mark.parametrize("hub_id", having("active"))
def test_active_parameters_equal_those_of_the_class_exactly(hub_id: str) -> None:
    assert built(hub_id).active_parameters == TRUTH[hub_id]["active"]


@pytest.mark.parametrize("hub_id", having("embedding"))
def test_the_input_table_and_the_head_are_counted_apart(hub_id: str) -> None:
    model, entry = built(hub_id), TRUTH[hub_id]
    counted = (model.embedding_parameters, model.head_parameters)
    assert counted == (entry["embedding"], entry["head"])


@pytest.mark.parametrize("hub_id", having("encoder"))
def test_the_towers_without_their_projectors_equal_the_class(hub_id: str) -> None:
    assert tower_elements(built(hub_id), projector=False) == TRUTH[hub_id]["encoder"]


@pytest.mark.parametrize("hub_id", having("projector"))
def test_the_projectors_equal_the_class(hub_id: str) -> None:
    assert tower_elements(built(hub_id), projector=True) == TRUTH[hub_id]["projector"]


@pytest.mark.parametrize("hub_id", having("towers"))
def test_towers_that_hold_their_own_mergers_equal_the_class(hub_id: str) -> None:
    model = built(hub_id)
    both = tower_elements(model, projector=True) + tower_elements(model, projector=False)
    assert both == TRUTH[hub_id]["towers"]


@pytest.mark.parametrize("hub_id", having("kv_bytes_per_token"))
def test_cache_bytes_a_token_equal_the_verified_figure(hub_id: str) -> None:
    expected = TRUTH[hub_id]["kv_bytes_per_token"]
    assert BYTES * cached_elements_per_token(built(hub_id)) == expected


@pytest.mark.parametrize("hub_id", having("kv_bytes_beyond_window"))
def test_beyond_the_window_only_full_layers_cache_another_token(hub_id: str) -> None:
    rows = cache_rows(built(hub_id), 1)
    growing = sum(
        row.elements * layers
        for row, layers in rows
        if row.source == "context" and not row.window_tokens
    )
    assert BYTES * growing == TRUTH[hub_id]["kv_bytes_beyond_window"]


@pytest.mark.parametrize("hub_id", having("state_elements"))
def test_state_values_a_sequence_equal_what_transformers_keeps(hub_id: str) -> None:
    counted = state_elements(built(hub_id), with_inputs=True)
    assert counted == TRUTH[hub_id]["state_elements"]
