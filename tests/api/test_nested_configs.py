"""Configs of models with towers, posted as they are published, and what is wrong in them."""

import pytest
from flask.testing import FlaskClient

LLAVA = {
    "architectures": ["LlavaForConditionalGeneration"],
    "image_token_index": 32000,
    "model_type": "llava",
    "projector_hidden_act": "gelu",
    "text_config": {
        "architectures": ["LlamaForCausalLM"],
        "max_position_embeddings": 4096,
        "model_type": "llama",
        "torch_dtype": "float16",
        "vocab_size": 32064,
    },
    "tie_word_embeddings": False,
    "vision_config": {
        "hidden_size": 1024,
        "image_size": 336,
        "intermediate_size": 4096,
        "model_type": "clip_vision_model",
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "patch_size": 14,
    },
    "vision_feature_layer": -2,
}
INTERNVL = {
    "architectures": ["InternVLChatModel"],
    "downsample_ratio": 0.5,
    "llm_config": {
        "architectures": ["Qwen2ForCausalLM"],
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "model_type": "qwen2",
        "num_attention_heads": 28,
        "num_hidden_layers": 28,
        "num_key_value_heads": 4,
        "sliding_window": None,
        "vocab_size": 151674,
    },
    "model_type": "internvl_chat",
    "vision_config": {
        "hidden_size": 1024,
        "image_size": 448,
        "intermediate_size": 4096,
        "model_type": "intern_vit_6b",
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "patch_size": 14,
        "qk_normalization": False,
        "qkv_bias": True,
    },
}
THINKER = {
    "model_type": "qwen2_5_omni",
    "talker_config": {},
    "thinker_config": {
        "audio_config": {"d_model": 1280, "output_dim": 3584},
        "text_config": {
            "hidden_size": 3584,
            "intermediate_size": 18944,
            "model_type": "qwen2_5_omni_text",
            "num_attention_heads": 28,
            "num_hidden_layers": 28,
            "num_key_value_heads": 4,
            "tie_word_embeddings": False,
            "vocab_size": 152064,
        },
        "vision_config": {"hidden_size": 1280, "out_hidden_size": 3584},
    },
}


def answer(client: FlaskClient, config: dict[str, object]) -> tuple[int, dict[str, object]]:
    body = {
        "model": {"config": config},
        "workload": {"kind": "inference", "context_tokens": 2048},
    }
    found = client.post("/v1/estimates", json=body)
    return found.status_code, found.json


def test_a_section_may_leave_its_sizes_to_its_class(client: FlaskClient) -> None:
    status, found = answer(client, LLAVA)
    # llava-1.5-7b: the published text section states the vocabulary alone
    assert (status, found["model"]["parameters"]) == (200, 7_063_427_072)
    assert "the sizes of the class llama are used" in str(found["warnings"])


def test_a_decoder_may_be_called_llm_config(client: FlaskClient) -> None:
    status, found = answer(client, INTERNVL)
    # InternVL3-8B: 7,944,373,760 in the Hub's own count
    assert (status, found["model"]["parameters"]) == (200, 7_944_373_760)


def test_a_thinker_is_read_out_of_the_whole(client: FlaskClient) -> None:
    status, found = answer(client, THINKER)
    # the thinker's class of transformers 5.23.0, built with these sizes
    assert (status, found["model"]["parameters"]) == (200, 8_931_813_888)
    assert "only the thinker is counted" in str(found["warnings"])


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("vision_config", "hidden_size", "big", "must be a whole number"),
        ("vision_config", "num_hidden_layers", -1, "must be a whole number"),
        ("vision_config", "patch_size", 0, "must be a whole number"),
        ("vision_config", "model_type", "clop_vision_model", "did you mean clip_vision_model"),
        ("text_config", "model_type", "lama", "did you mean llama"),
        ("text_config", "num_attention_heads", [32], "must be a whole number"),
        ("text_config", "attention_bias", "no", "must be true or false"),
    ],
)
def test_a_fault_in_a_section_is_named_by_its_path(
    client: FlaskClient, section: str, key: str, value: object, says: str
) -> None:
    wrong = {**LLAVA, section: {**LLAVA[section], key: value}}
    status, problem = answer(client, wrong)
    assert (status, problem["errors"][0]["pointer"]) == (422, f"/model/config/{section}/{key}")
    assert says in problem["detail"]


def test_a_section_that_is_no_object_is_named(client: FlaskClient) -> None:
    status, problem = answer(client, {**LLAVA, "vision_config": [1024]})
    assert (status, problem["detail"]) == (422, "model.config.vision_config: must be an object")


def test_a_wrapper_without_its_inner_model_is_refused(client: FlaskClient) -> None:
    status, problem = answer(client, {**THINKER, "thinker_config": None})
    assert (status, problem["detail"]) == (422, "model.config.thinker_config: is missing")


def test_an_order_of_activations_that_is_no_word_is_refused(client: FlaskClient) -> None:
    weights = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 32, "actorder": []}
    declared = {"quant_method": "compressed-tensors", "config_groups": {"a": {"weights": weights}}}
    status, problem = answer(client, {**LLAVA, "quantization_config": declared})
    assert (status, "actorder: must be text" in problem["detail"]) == (422, True)


def test_the_input_table_and_the_head_are_told_apart(client: FlaskClient) -> None:
    _, found = answer(client, LLAVA)
    # 32,064 words of 4,096 features, once at each end
    counts = (found["model"]["embedding_parameters"], found["model"]["head_parameters"])
    assert counts == (131_334_144, 131_334_144)


def test_a_catalog_entry_states_its_towers(client: FlaskClient) -> None:
    entry = client.get("/v1/models/gemma-3n-e4b-it").json
    towers = {tower["name"]: tower["tokens_per_item"] for tower in entry["encoders"]}
    # the published vision_soft_tokens_per_image and audio_soft_tokens_per_image
    assert towers == {"vision": 256, "audio": 188}
