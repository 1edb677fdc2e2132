"""What every model of the catalog keeps: more layers weigh no less, and no split loses a byte."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.build import Catalogs
from service.app import read_catalogs
from service.catalog.models import entry_architecture
from service.domain.architecture import Architecture
from service.domain.questions import Split
from service.domain.rules import indivisible
from service.domain.sums import (
    cache_rows,
    cached_elements_per_token,
    model_weight_bytes,
    state_bytes,
    state_rows,
)
from service.domain.tensors import Tensor

ROOT = Path(__file__).parents[2]
RANKS = (1, 2, 4, 8)


@cache
def catalogs() -> Catalogs:
    return read_catalogs(ROOT / "config", ROOT / "gpus.yaml")


@cache
def models() -> tuple[Architecture, ...]:
    return tuple(entry_architecture(entry) for entry in catalogs().models.entries.values())


def divided(ranks: int) -> tuple[Architecture, ...]:
    """Models that so many ranks can share, most of the catalog."""
    whole = catalogs().quantizations.pick("none")
    found = tuple(m for m in models() if indivisible(m, whole, Split(tensor=ranks)) is None)
    assert len(found) > len(models()) // 2
    return found


def fullest_elements(tensor: Tensor, ranks: int) -> int:
    """Elements of the rank that is dealt most, one unit after the other; no rank has none."""
    sizes = {"rows": (tensor.rows, tensor.columns), "columns": (tensor.columns, tensor.rows)}
    heads = max(1, tensor.heads)
    sizes["heads"] = (heads, tensor.rows // heads * tensor.columns)
    if tensor.cut == "none":
        return tensor.elements
    units, size = sizes[tensor.cut]
    dealt = [len(range(rank, units, ranks)) for rank in range(ranks)]
    return max(1, *dealt) * size * tensor.count if ranks > 1 else tensor.elements


@pytest.mark.parametrize("ranks", RANKS)
def test_the_fullest_rank_holds_the_most_units_that_any_is_dealt(ranks: int) -> None:
    for model in divided(ranks):
        for tensor in model.tensors():
            found = tensor.sharded(ranks).elements
            assert found == fullest_elements(tensor, ranks), (model.name, tensor)


@pytest.mark.parametrize("ranks", RANKS)
def test_ranks_together_hold_at_least_the_whole_model(ranks: int) -> None:
    for model in divided(ranks):
        for tensor in model.tensors():
            assert ranks * tensor.sharded(ranks).elements >= tensor.elements, (model.name, tensor)


@pytest.mark.parametrize("ranks", RANKS)
def test_ranks_together_cache_at_least_the_whole_row(ranks: int) -> None:
    for model in divided(ranks):
        whole = sum(row.elements * layers for row, layers in cache_rows(model, 1))
        shared = sum(row.elements * layers for row, layers in cache_rows(model, ranks))
        assert whole <= ranks * shared <= ranks * whole, model.name


@pytest.mark.parametrize("ranks", RANKS)
def test_ranks_together_keep_at_least_the_whole_state(ranks: int) -> None:
    for model in divided(ranks):
        whole = sum(row.elements * layers for row, layers in state_rows(model, 1))
        shared = sum(row.elements * layers for row, layers in state_rows(model, ranks))
        assert whole <= ranks * shared <= ranks * whole, model.name


def shortened(model: Architecture, layers: int) -> Architecture:
    """The same model with its first layers alone."""
    return replace(model, layer_order=model.layer_order[:layers])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_more_layers_never_take_fewer_bytes(data: st.DataObject) -> None:
    model = data.draw(st.sampled_from(models()), label="model")
    fewer = data.draw(st.integers(0, model.layer_count), label="fewer")
    more = data.draw(st.integers(fewer, model.layer_count), label="more")
    small, large = shortened(model, fewer), shortened(model, more)
    precision = catalogs().precisions.pick("bfloat16")
    name = data.draw(st.sampled_from(("none", "fp8", "nvfp4")), label="format")
    sizes = [
        model_weight_bytes(part, catalogs().quantizations.pick(name), precision)
        for part in (small, large)
    ]
    assert sizes[0] <= sizes[1]
    assert small.parameters <= large.parameters
    assert small.active_parameters <= large.active_parameters
    assert cached_elements_per_token(small) <= cached_elements_per_token(large)
    assert state_bytes(small) <= state_bytes(large)
