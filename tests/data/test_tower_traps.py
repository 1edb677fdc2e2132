"""Traps of models with towers, each with the published count that falls into it when missed.

Counts are the Hub's, or those of the class of transformers 5.23.0 built on the meta device.
"""

import pytest

from service.catalog.families import architecture
from service.domain.architecture import Architecture, extras
from service.domain.sums import cache_rows, cached_elements_per_token
from service.domain.tensors import elements
from tests.data.test_tower_counts import MODELS, built

UNUSED = "unused projections of layers that share a cache"


def config_of(name: str) -> dict[str, object]:
    return dict(MODELS.pick(name).config)


def tensor_elements(model: Architecture, name: str) -> int:
    """Values of the decoder's tensors of one name."""
    bill = [tensor for tensor in model.tensors() if tensor.kind not in {"encoder", "projector"}]
    return sum(tensor.elements for tensor in bill if tensor.name == name)


@pytest.mark.parametrize(
    ("hub_id", "published"),
    [
        ("mistralai/Mistral-Small-3.1-24B-Instruct-2503", 24_011_361_280),
        ("mistralai/Ministral-3-3B-Instruct-2512", 3_849_090_048),
        ("google/gemma-3-4b-it", 4_300_079_472),
        ("HuggingFaceTB/SmolVLM-256M-Instruct", 256_484_928),
    ],
)
def test_the_word_on_tying_stands_at_either_level_or_nowhere(hub_id: str, published: int) -> None:
    assert built(hub_id).parameters == published


def test_the_wrappers_word_on_tying_outweighs_the_decoders() -> None:
    config = config_of("Ministral-3-3B-Instruct-2512")
    untied = architecture({**config, "tie_word_embeddings": False}, "untied")
    # 131,072 words of 3,072 features a second time
    assert untied.parameters == 3_849_090_048 + 131_072 * 3_072


def test_one_family_may_tie_its_small_models_alone() -> None:
    small, large = built("Qwen/Qwen3.5-4B"), built("Qwen/Qwen3.5-9B")
    assert (small.head_parameters, large.head_parameters) == (0, 1_017_118_720)


def test_heads_need_not_fill_the_hidden_size() -> None:
    model = built("mistralai/Mistral-Small-3.2-24B-Instruct-2506")
    # 32 heads of 128 on 5,120 features, not of 160
    assert tensor_elements(model, "q_proj") == 40 * 4_096 * 5_120


def test_a_width_may_be_a_list_by_layer() -> None:
    assert built("google/gemma-3n-E4B-it").parameters == 7_818_517_072


def test_dense_layers_between_experts_have_a_width_of_their_own() -> None:
    maverick = built("meta-llama/Llama-4-Maverick-17B-128E")
    # every second layer is dense with 16,384: published 401,583,781,376
    assert maverick.parameters == 401_583_781_376


def test_only_layers_that_borrow_a_cache_are_twice_as_wide() -> None:
    model = built("google/gemma-4-E2B-it")
    # 15 layers of 6,144 and 20 of 12,288 on 1,536 features
    assert tensor_elements(model, "mlp.up_proj") == 1_536 * (15 * 6_144 + 20 * 12_288)


def test_a_vocabulary_is_the_configs_not_the_tokenizers() -> None:
    # gemma-3 has 262,208 rows beside images and 262,144 without
    assert built("google/gemma-3-12b-it").embedding_parameters == 262_208 * 3_840


def test_one_model_has_two_tables_of_different_length() -> None:
    model = built("google/gemma-3n-E4B-it")
    tables = (
        tensor_elements(model, "embed_tokens"),
        tensor_elements(model, "per_layer_embeddings"),
    )
    assert tables == (262_400 * 2_048, 262_144 * 35 * 256)


def test_a_dense_part_may_stand_beside_the_experts() -> None:
    model = built("google/gemma-4-26B-A4B-it")
    assert (model.parameters, model.active_parameters) == (25_805_933_872, 4_395_322_672)


def test_text_and_images_may_have_experts_of_their_own() -> None:
    model = built("baidu/ERNIE-4.5-VL-28B-A3B-PT")
    # 64 of 1,536 and 64 of 512 features, six of each chosen
    assert (model.parameters, model.active_parameters) == (29_399_294_336, 4_768_244_096)


def test_a_sister_without_prediction_layers_claims_none() -> None:
    # GLM-4.5-Air has one, GLM-4.5V ships none
    assert extras(built("zai-org/GLM-4.5V")) == ()


def test_scales_kept_as_buffers_are_in_the_files_alone() -> None:
    model = built("google/gemma-4-12B-it")
    assert model.checkpoint_parameters - model.parameters == 48


@pytest.mark.parametrize(
    ("hub_id", "unused"),
    [
        ("google/gemma-3n-E2B-it", 20_974_080),
        ("google/gemma-3n-E4B-it", 31_461_120),
        ("google/gemma-4-E4B-it", 55_055_616),
    ],
)
def test_files_hold_projections_that_the_class_lacks(hub_id: str, unused: int) -> None:
    assert dict(extras(built(hub_id)))[UNUSED] == unused


def test_the_size_of_its_images_tells_a_base_from_its_sister() -> None:
    base, instruct = (
        built("meta-llama/Llama-3.2-11B-Vision"),
        built("meta-llama/Llama-3.2-11B-Vision-Instruct"),
    )
    # position tables of 448 and of 560 pixels
    assert (base.parameters, instruct.parameters) == (10_642_941_475, 10_670_220_835)


def test_blocks_behind_the_feature_layer_are_loaded_all_the_same() -> None:
    config = config_of("llava-hf/llava-1.5-13b-hf")
    early = architecture({**config, "vision_feature_layer": -10}, "early")
    assert early.parameters == 13_351_494_656


def test_a_pooling_head_goes_where_the_config_drops_it() -> None:
    config = config_of("google/gemma-3-4b-it")
    vision = {**config["vision_config"], "vision_use_head": True}
    pooled = architecture({**config, "vision_config": vision}, "pooled")
    # SigLIP so400m: 428,225,600 with its head at 384 pixels, 412,987,248 without
    assert pooled.parameters - 4_300_079_472 == 428_225_600 - 412_987_248


def test_a_tower_may_be_a_convolutional_network_known_by_its_name() -> None:
    tower = built("google/gemma-3n-E4B-it").towers[0]
    encoder = sum(tensor.elements for tensor in tower.tensors() if tensor.kind == "encoder")
    assert encoder == 294_126_912


def test_a_model_may_see_without_a_tower() -> None:
    bill = [t for tower in built("google/gemma-4-12B-it").towers for t in tower.tensors()]
    assert ({t.kind for t in bill}, elements(tuple(bill))) == ({"projector"}, 52_379_904)


def test_a_missing_tower_is_said_to_be_its_class() -> None:
    config = config_of("meta-llama/Llama-4-Scout-17B-16E")
    bare = architecture({k: v for k, v in config.items() if k != "vision_config"}, "bare")
    # off by 0.42 billion from the published 108,641,793,536
    assert bare.parameters == 108_225_039_360
    assert bare.notes[0].startswith("vision_config is missing: the sizes of the class llama4")


def test_embeddings_of_every_layer_are_a_third_of_a_small_model() -> None:
    model = built("google/gemma-4-E2B-it")
    assert tensor_elements(model, "per_layer_embeddings") == 262_144 * 35 * 256


def test_layers_that_borrow_a_cache_keep_none() -> None:
    # 20 of 35 layers cache 1,024 values
    assert 2 * cached_elements_per_token(built("google/gemma-3n-E4B-it")) == 40_960


def test_keys_that_are_values_are_cached_as_both() -> None:
    # 8 global layers with one head of 512, 40 local ones with 8 of 256
    assert cached_elements_per_token(built("google/gemma-4-12B-it")) == 2 * (8 * 512 + 40 * 8 * 256)


def test_layers_in_chunks_stop_growing_at_the_chunk() -> None:
    rows = dict(cache_rows(built("meta-llama/Llama-4-Scout-17B-16E"), 1))
    assert {row.window_tokens: layers for row, layers in rows.items()} == {8192: 36, 0: 12}


def test_layers_that_look_at_an_image_cache_its_tokens_alone() -> None:
    model = built("meta-llama/Llama-3.2-90B-Vision-Instruct")
    seen = cached_elements_per_token(model, "encoder")
    # 20 of 100 layers: 81,920 bytes an image token, 327,680 a text token
    assert (2 * seen, 2 * cached_elements_per_token(model)) == (81_920, 327_680)


def test_a_window_as_wide_as_the_context_is_none() -> None:
    rows = cache_rows(built("microsoft/Phi-4-multimodal-instruct"), 1)
    assert {row.window_tokens for row, _ in rows} == {0}


def test_towers_state_what_serving_and_training_need_of_them() -> None:
    tower = built("google/gemma-3-4b-it").towers[0]
    facts = (tower.item_tokens, tower.hidden_size, len(tower.layer_order))
    # 256 tokens an image; SigLIP so400m has 27 blocks of 1,152
    assert facts == (256, 1_152, 27)
