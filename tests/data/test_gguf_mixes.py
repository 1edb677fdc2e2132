"""llama.cpp's mixes against what is published of the files that it makes."""

from __future__ import annotations

import pytest

from service.api.build import Catalogs
from service.catalog.models import entry_architecture
from service.domain.precision import Place
from service.domain.sums import model_weight_bytes
from service.domain.tensors import matrix

# bits a weight of Llama 3.1 8B: llama.cpp 311c2c9 tools/quantize/README.md
README = {
    "iq1_s": 2.0042, "iq1_m": 2.1460, "iq2_xxs": 2.3824, "iq2_xs": 2.5882, "iq2_s": 2.7403,
    "iq2_m": 2.9294, "q2_k_s": 2.9697, "q2_k": 3.1593, "iq3_xxs": 3.2548, "iq3_xs": 3.4977,
    "q3_k_s": 3.6429, "iq3_s": 3.6606, "iq3_m": 3.7628, "q3_k_m": 3.9960, "q3_k_l": 4.2979,
    "iq4_xs": 4.4597, "q4_k_s": 4.6672, "iq4_nl": 4.6818, "q4_k_m": 4.8944, "q5_k_s": 5.5704,
    "q5_k_m": 5.7036, "q6_k": 6.5633, "q8_0": 8.5008, "f16": 16.0005,
}  # fmt: skip
# file sizes in GB: model card of bartowski's GGUF files of a Llama 3.1 70B. Its IQ4_XS was made
# with an importance matrix and is smaller. 43.1 GB for Q4_K_M in llama.cpp's README is the bits a
# weight of the 8B times 70B, no file's size.
CARD = {
    "q8_0": 74.98, "q6_k": 57.89, "q5_k_m": 49.95, "q5_k_s": 48.66, "q4_k_m": 42.52,
    "q4_k_s": 40.35, "q3_k_l": 37.14, "q3_k_m": 34.27, "iq3_m": 31.94,
    "q3_k_s": 30.91,
}  # fmt: skip


def file_bytes(catalogs: Catalogs, model: str, mix: str) -> int:
    architecture = entry_architecture(catalogs.models.pick(model))
    quantization = catalogs.quantizations.pick(f"gguf-{mix}")
    return model_weight_bytes(architecture, quantization, catalogs.precisions.pick("bf16"))


@pytest.mark.parametrize("mix", README)
def test_a_mix_has_the_published_bits_a_weight(catalogs: Catalogs, mix: str) -> None:
    bits = file_bytes(catalogs, "llama-3.1-8b", mix) * 8 / 8_030_261_248
    assert bits == pytest.approx(README[mix], abs=0.0001)


@pytest.mark.parametrize("mix", CARD)
def test_a_mix_of_a_70b_has_the_published_file_size(catalogs: Catalogs, mix: str) -> None:
    size = file_bytes(catalogs, "meta-llama/Llama-3.1-70B", mix)
    assert size / 1e9 == pytest.approx(CARD[mix], rel=0.002)


def test_q4_0_is_what_a_card_and_its_host_hold(catalogs: Catalogs) -> None:
    """A published log shows 4,357,881,856 bytes on the card; the table stayed with the host."""
    table = 128_256 * 4096 // 32 * 18
    size = file_bytes(catalogs, "llama-3.1-8b", "q4_0") - table
    assert size == pytest.approx(4_357_881_856, abs=8192)


def test_rows_that_are_not_whole_blocks_take_the_fallback(catalogs: Catalogs) -> None:
    """896 is no multiple of 256: Q4_K becomes Q5_0, and 900 is none of 32: F16."""
    mix = catalogs.quantizations.pick("q4_k_m")
    narrow, odd = matrix("q_proj", "attention", 896, 896), matrix("q_proj", "attention", 900, 900)
    forms = [mix.form(tensor, Place(layer=5, layers=24)) for tensor in (narrow, odd)]
    assert [form.id for form in forms if form] == ["q5_0", "f16"]


def test_a_tied_table_takes_the_type_of_the_output(catalogs: Catalogs) -> None:
    table = matrix("embed_tokens", "embedding", 151_936, 2048)
    mix = catalogs.quantizations.pick("q4_k_m")
    form = mix.form(table, Place(traits=frozenset({"tied"})))
    assert form is not None
    assert form.id == "q6_k"


def test_linear_attention_s_inputs_are_one_tensor_with_more_bits(catalogs: Catalogs) -> None:
    """attn_qkv counts as attn_v: Q6_K in the first eighth of the blocks, Q4_K after it."""
    mix, values = (
        catalogs.quantizations.pick("q4_k_m"),
        matrix("in_proj_v", "attention", 4096, 4096),
    )
    places = [Place(layer=n, layers=32, attention_layer=n, attention_layers=32) for n in (0, 4)]
    forms = [mix.form(values, place) for place in places]
    assert [form.id for form in forms if form] == ["q6_k", "q4_k"]
