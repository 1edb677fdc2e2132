"""What one block keeps for its backward, in bytes a token.

Expected numbers are counts of tensors in transformers 5.23.0, met by an allocator replay with
torch 2.13.0: h hidden size, f width, q and k elements of queries and keys, a heads.
"""

import pytest

from service.catalog.families import architecture
from service.domain.tape import Regime, Size, block_walk

BF16 = Regime(weight=2, other=2)
AUTOCAST = Regime(weight=4, other=4, autocast=True)
SINGLE = Regime(weight=4, other=4, kernel="mem-efficient")
SEQUENCE = 2048


def config(kind: str, **facts: object) -> dict[str, object]:
    return {
        "model_type": kind,
        "hidden_size": 1024,
        "num_hidden_layers": 2,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
        **facts,
    }


def kept(facts: dict[str, object], regime: Regime) -> Size:
    model = architecture(facts, "a model")
    walked = block_walk(model.layer_kinds[0], model.hidden_size, regime)
    return Size(walked.kept.token, walked.kept.pair)


H, F, Q, A = 1024, 4096, 1024, 16


@pytest.mark.parametrize(
    ("kind", "regime", "expected"),
    [
        ("llama", BF16, 16 * H + 8 + 8 * F + 8 * Q + 4 * A),
        ("llama", AUTOCAST, 26 * H + 8 + 8 * F + 8 * Q + 4 * A),
        ("llama", SINGLE, 24 * H + 8 + 16 * F + 16 * Q + 4 * A),
        ("gpt2", BF16, 18 * H + 16 + 10 * F + 4 * A),
        ("gpt2", AUTOCAST, 22 * H + 16 + 16 * F + 4 * A),
        ("opt", BF16, 18 * H + 16 + 2 * F + 4 * A),
        ("opt", AUTOCAST, 26 * H + 16 + 2 * F + 4 * A),
        ("gpt_neox", BF16, 20 * H + 16 + 4 * F + 4 * A),
        ("gpt_neox", AUTOCAST, 22 * H + 16 + 4 * F + 4 * A),
        ("gpt_neox", SINGLE, 36 * H + 16 + 8 * F + 4 * A),
    ],
)
def test_a_block_keeps_what_the_source_of_its_class_spells_out(
    kind: str, regime: Regime, expected: int
) -> None:
    names = {"gpt2": {"n_positions": 1024, "n_inner": F}, "opt": {"ffn_dim": F}}
    assert kept(config(kind, **names.get(kind, {})), regime) == Size(token=expected)


def test_walking_a_gated_block_back_adds_the_residual_and_two_widths() -> None:
    model = architecture(config("llama"), "a model")
    walked = block_walk(model.layer_kinds[0], H, BF16)
    most = max(point.live.token for point in walked.backward)
    assert most == walked.kept.token + 2 * H + 4 * F


def test_frozen_weights_keep_no_inputs() -> None:
    frozen = Regime(weight=2, other=2, trained=False)
    assert kept(config("llama"), frozen) == Size(token=8 * H + 8 + 6 * F + 6 * Q + 4 * A + 2 * Q)


def test_eager_attention_keeps_its_scores_in_fp32_and_16_bit() -> None:
    eager = Regime(weight=2, other=2, kernel="eager")
    assert kept(config("llama"), eager).pair == 6 * A
