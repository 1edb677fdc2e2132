"""Exact counts of every covered model whose count was verified outside this project."""

import json
from pathlib import Path

import pytest

from service.catalog.models import entry_architecture, load_models
from service.domain.architecture import Architecture, extras
from service.domain.sums import cached_elements_per_token, state_elements

HERE = Path(__file__).parent
TRUTH = {
    hub_id: entry
    for name in ("truth.json", "truth_hybrids.json")
    for hub_id, entry in json.loads((HERE / name).read_text(encoding="utf-8")).items()
}
MODELS = load_models(HERE.parent.parent / "config" / "models")
WITHIN = 0.005


# The published figure stops at the attention of Zamba 2; its state is checked by hand below.
STATE_IS_NOT_PUBLISHED = {"Zyphra/Zamba2-1.2B-instruct"}


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


@pytest.mark.parametrize(
    "hub_id", sorted(h for h in TRUTH if "kv_bytes_per_encoder_token" in TRUTH[h])
)
def test_cache_bytes_of_an_encoders_token_equal_the_verified_figure(hub_id: str) -> None:
    found = 2 * cached_elements_per_token(built(hub_id), "encoder")
    assert found == TRUTH[hub_id]["kv_bytes_per_encoder_token"]


@pytest.mark.parametrize("hub_id", [key for key in TRUTH if "kv_bytes_beyond_window" in TRUTH[key]])
def test_cache_bytes_beyond_the_window_equal_the_verified_figure(hub_id: str) -> None:
    expected = TRUTH[hub_id]["kv_bytes_beyond_window"]
    assert 2 * cached_elements_per_token(built(hub_id), beyond_windows=True) == expected


@pytest.mark.parametrize("hub_id", sorted(set(TRUTH) - STATE_IS_NOT_PUBLISHED))
def test_state_values_a_sequence_equal_what_transformers_keeps(hub_id: str) -> None:
    expected = TRUTH[hub_id].get("state_elements", 0)
    assert state_elements(built(hub_id), with_inputs=True) == expected


@pytest.mark.parametrize(
    "hub_id",
    [key for key, entry in TRUTH.items() if entry.get("checkpoint", 0) > entry["parameters"]],
)
def test_checkpoint_parameters_equal_the_published_count(hub_id: str) -> None:
    assert built(hub_id).checkpoint_parameters == TRUTH[hub_id]["checkpoint"]


def test_zamba2_keeps_a_state_in_every_layer() -> None:
    # 38 layers of 64 heads x 64 x 128 values, and 4 x (4,096 + 2 x 128) inputs of the convolution
    state = state_elements(built("Zyphra/Zamba2-1.2B-instruct"), with_inputs=True)
    assert state == 38 * (64 * 64 * 128 + 4 * (4096 + 2 * 128))


def test_deepseek_v3_states_its_prediction_layer_apart() -> None:
    model = built("deepseek-ai/DeepSeek-V3")
    # published: layer + projection + norms 11,610,067,968, its table and head 1,853,358,080
    assert sum(dict(extras(model)).values()) == 11_610_067_968 + 1_853_358_080


def test_the_experts_of_deepseek_v4_flash_stand_in_four_bits() -> None:
    # 277,025,390,592 values of experts in MXFP4 at 4.25 bits make 147.2 GB; base keeps eight
    found = [
        built(f"deepseek-ai/DeepSeek-V4-Flash{end}").declared_quantization for end in ("", "-Base")
    ]
    forms = [
        [rule.format.bits for rule in one.rules if "expert" in rule.kinds and rule.format]
        for one in found
        if one
    ]
    assert forms == [[4], [8]]
