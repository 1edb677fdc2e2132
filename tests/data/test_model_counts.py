"""Exact counts of every covered model whose count was verified outside this project."""

import json
from pathlib import Path

import pytest

from service.catalog.models import entry_architecture, load_models
from service.domain.architecture import Architecture, extras
from service.domain.sums import cached_elements_per_token

HERE = Path(__file__).parent
TRUTH = json.loads((HERE / "truth.json").read_text(encoding="utf-8"))
MODELS = load_models(HERE.parent.parent / "config" / "models")
WITHIN = 0.005


def built(hub_id: str) -> Architecture:
    names = (hub_id, hub_id.rsplit("/", maxsplit=1)[-1])
    found = next(name for name in names if name.lower() in MODELS.names)
    return entry_architecture(MODELS.pick(found))


def test_the_catalog_holds_at_least_two_hundred_models() -> None:
    assert len(MODELS.entries) >= 200


@pytest.mark.parametrize("hub_id", sorted(TRUTH))
def test_parameters_equal_the_verified_count_exactly(hub_id: str) -> None:
    found, entry = built(hub_id), TRUTH[hub_id]
    if entry["method"] == "published":
        # no class to build: the published count is of the files
        assert found.checkpoint_parameters == pytest.approx(entry["checkpoint"], rel=WITHIN)
        return
    assert found.parameters == entry["parameters"]


@pytest.mark.parametrize("hub_id", sorted(h for h in TRUTH if "checkpoint" in TRUTH[h]))
def test_the_files_hold_what_the_hub_counts_and_differences_have_names(hub_id: str) -> None:
    found, entry = built(hub_id), TRUTH[hub_id]
    if "difference" in entry:
        assert found.checkpoint_parameters == pytest.approx(entry["checkpoint"], rel=WITHIN)
        return
    assert found.checkpoint_parameters == entry["checkpoint"]


@pytest.mark.parametrize("hub_id", sorted(TRUTH))
def test_active_parameters_equal_the_verified_count_exactly(hub_id: str) -> None:
    if TRUTH[hub_id]["active"] is None:
        assert TRUTH[hub_id]["method"] == "published"
        return
    assert built(hub_id).active_parameters == TRUTH[hub_id]["active"]


@pytest.mark.parametrize("hub_id", sorted(TRUTH))
def test_cache_bytes_a_token_equal_the_verified_figure(hub_id: str) -> None:
    expected = TRUTH[hub_id]["kv_bytes_per_token"]
    if expected is None:
        return
    assert 2 * cached_elements_per_token(built(hub_id)) == expected


def test_deepseek_v3_states_its_prediction_layer_apart() -> None:
    model = built("deepseek-ai/DeepSeek-V3")
    # published: layer + projection + norms 11,610,067,968, its table and head 1,853,358,080
    assert sum(dict(extras(model)).values()) == 11_610_067_968 + 1_853_358_080
