"""What holds of every format and quantization, on random shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.build import Catalogs
from service.catalog.families import architecture
from service.domain.packing import PackedFormat
from service.domain.precision import Quantization
from service.domain.sums import loaded, places, weight_sums
from service.domain.tensors import Tensor, matrix

ROWS = st.integers(1, 4096)
COLUMNS = st.integers(1, 512).map(lambda blocks: blocks * 32)
LADDERS = [
    ["gguf-q8_0", "gguf-q6_k", "gguf-q5_k_s", "gguf-q4_k_s", "gguf-q3_k_s"],
    # not iq2_s: with four experts and rows that do not divide it takes more than iq3_xxs
    ["gguf-q5_k_m", "gguf-q4_k_m", "gguf-q3_k_m", "gguf-iq3_xxs", "gguf-iq1_s"],
    ["none", "mxfp8", "mxfp6", "mxfp4"],
    ["none", "gptq-int8", "awq-int4", "int3", "int2"],
    ["none", "exl3-6bit", "exl3-5bit", "exl3-4bit", "exl3-3bit"],
]


@st.composite
def models(draw: st.DrawFn) -> dict[str, object]:
    """Configs of small decoders, dense or with experts, whose ranks are whole."""
    head_dim = draw(st.sampled_from([64, 128]))
    kv_heads, shared = draw(st.sampled_from([1, 2, 4, 8])), draw(st.sampled_from([1, 4, 8]))
    config: dict[str, object] = {
        "model_type": "llama",
        "hidden_size": draw(st.sampled_from([256, 512, 896, 1024])),
        "intermediate_size": draw(st.integers(1, 12)) * 256,
        "num_hidden_layers": draw(st.integers(1, 40)),
        "num_attention_heads": kv_heads * shared,
        "num_key_value_heads": kv_heads,
        "head_dim": head_dim,
        "vocab_size": draw(st.integers(100, 5000)),
        "tie_word_embeddings": draw(st.booleans()),
    }
    if draw(st.booleans()):
        config |= {
            "model_type": "mixtral",
            "num_local_experts": draw(st.sampled_from([2, 4, 8])),
            "num_experts_per_tok": 2,
        }
    return config


def whole(
    catalogs: Catalogs, config: dict[str, object], name: str, tensor_parallel: int = 1
) -> int:
    model = architecture(config, "random")
    quantization, precision = catalogs.quantizations.pick(name), catalogs.precisions.pick("bf16")
    sums = weight_sums(model, quantization, precision, tensor_parallel, 1)
    return sums.before[-1] + sums.embeddings + sums.head


@pytest.mark.parametrize("ladder", LADDERS, ids=lambda names: names[0])
@given(config=models())
def test_fewer_bits_are_never_more_bytes(
    catalogs: Catalogs, ladder: list[str], config: dict[str, object]
) -> None:
    sizes = [whole(catalogs, config, name) for name in ladder]
    assert sizes == sorted(sizes, reverse=True)


@given(config=models(), ranks=st.sampled_from([2, 4, 8]), name=st.sampled_from(
    ["none", "fp8-channel", "awq-int4", "nf4-dq", "nvfp4", "gguf-q4_k_m", "mxfp4-experts"]
))  # fmt: skip
def test_sharding_loses_no_byte(
    catalogs: Catalogs, config: dict[str, object], ranks: int, name: str
) -> None:
    """All ranks hold the whole, and beyond it at most: what each keeps whole, heads that ranks
    share, and rows, blocks and bytes that are rounded up once a tensor and rank."""
    model = architecture(config, "random")
    quantization, precision = catalogs.quantizations.pick(name), catalogs.precisions.pick("bf16")
    held = loaded(model)
    *stand, around = places(model)
    whole_bytes, all_ranks, beyond = 0, 0, 0
    for tensors, place in zip(
        (*held.blocks, held.before + held.after), (*stand, around), strict=True
    ):
        for tensor in tensors:
            one = quantization.weight_bytes((tensor,), precision, place)
            part = quantization.weight_bytes((tensor,), precision, place, ranks)
            whole_bytes, all_ranks = whole_bytes + one, all_ranks + ranks * part
            beyond += most_beyond(quantization, tensor, ranks, one)
    assert whole_bytes <= all_ranks <= whole_bytes + beyond


def most_beyond(quantization: Quantization, tensor: Tensor, ranks: int, whole_bytes: int) -> int:
    """Bytes that all ranks together may hold beyond one tensor."""
    if tensor.cut == "none" or tensor.heads % ranks:
        return (ranks - 1) * whole_bytes + ranks
    form = quantization.form(tensor)
    block = 4 * 128 * tensor.rows if form else 0  # a scale, and a block of columns, of every row
    row = 2 * max(tensor.rows, tensor.columns) * tensor.count
    return ranks * (block * tensor.count + row + 64)


@given(rows=ROWS, columns=COLUMNS)
def test_a_fallback_takes_no_less_than_what_it_stands_for(
    catalogs: Catalogs, rows: int, columns: int
) -> None:
    def bits(form: PackedFormat) -> float:
        return form.block_bits / form.block_columns if form.block_columns else form.bits

    for form in catalogs.formats.by_id.values():
        taken = form.for_columns(columns)
        if form.fallback is not None and taken is not None:
            assert bits(taken) >= bits(form)
            assert taken.bytes(rows, columns) * 8 >= rows * columns * bits(form)


@given(rows=st.integers(128, 4096), columns=COLUMNS.filter(lambda c: c >= 128))
def test_packing_never_exceeds_16_bits(catalogs: Catalogs, rows: int, columns: int) -> None:
    """From a block of every format on; AQLM's codebook of a mebibyte stands apart."""
    tensor = matrix("experts.up_proj", "expert", rows, columns)
    for quantization in catalogs.quantizations:
        form = quantization.form(tensor)
        if form is not None and form.id != "aqlm-2":
            assert form.bytes(rows, columns) <= 2 * rows * columns


@given(data=st.data())
def test_more_rows_and_columns_are_never_fewer_bytes(
    catalogs: Catalogs, data: st.DataObject
) -> None:
    form = data.draw(st.sampled_from(sorted(catalogs.formats.by_id)))
    rows, columns = data.draw(ROWS), data.draw(COLUMNS)
    packed = catalogs.formats.by_id[form]
    assert packed.bytes(rows, columns) <= packed.bytes(rows + 1, columns)
    assert packed.bytes(rows, columns) <= packed.bytes(rows, columns + 32)
