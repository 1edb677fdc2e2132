"""Weights as vLLM loads them: the checkpoint, layouts of kernels, absorbed matrices."""

from __future__ import annotations

from functools import lru_cache

from service.domain.architecture import Architecture, Stage
from service.domain.engines.shared import checkpoint
from service.domain.engines.vllm.rounding import allocation_rounding
from service.domain.mixers import LatentAttention
from service.domain.packing import PackedFormat
from service.domain.precision import Quantization
from service.domain.profiles import Profile, VllmProfile
from service.domain.profiles.vllm import ExpertLayout
from service.domain.questions import Placement
from service.domain.tensors import Tensor
from service.domain.units import bytes_of_bits, ceil_div, round_up

COMPUTED_BITS = 16
"""Absorbed matrices are kept in 16 bits, whatever the checkpoint stores."""


def weights(placement: Placement, profile: Profile, stage: Stage) -> int:
    """Weights on one rank of a stage as vLLM holds them. [B]

    M_w = M_checkpoint + Σ_layers (P + A) + Σ_tables n·d·b/8 + M_r

    P  what a kernel's layout adds to experts   A  absorbed matrices of latent attention
    n  positions of a rotary table   d  features that are rotated   b  bits of the base precision
    M_r  what torch's allocator adds to large matrices

    Holds when:  the kernel of the card's hardware in this version runs.
    Source:      see both parts; `model_executor/layers/rotary_embedding/base.py`, cos_sin_cache.
    Checked by:  gpt-oss-120b in MXFP4 on one H100, 0.14: 64.38 GiB in the log.
    """
    tables = sum(table.elements for table in placement.model.rotary)
    whole = checkpoint(placement, profile, stage) + placement.precision.bytes(tables)
    whole += allocation_rounding(placement, stage)
    split = placement.split
    extra = beyond_checkpoint(
        placement.model,
        placement.quantization,
        expert_layout(placement.quantization, profile),
        (split.tensor, split.expert),
    )
    if not any(extra):
        return whole
    return whole + sum(
        extra[index] for index in placement.model.layer_order[stage.start : stage.stop]
    )


def expert_layout(quantization: Quantization, profile: Profile) -> ExpertLayout | None:
    """How the kernel keeps packed experts; None where it keeps them as they are stored."""
    if not isinstance(profile, VllmProfile):
        return None
    return profile.expert_layouts.get(quantization.layout or quantization.kernel)


@lru_cache(maxsize=2048)
def beyond_checkpoint(
    model: Architecture,
    quantization: Quantization,
    layout: ExpertLayout | None,
    ranks: tuple[int, int],
) -> tuple[int, ...]:
    """What every kind of layer takes beyond the checkpoint on one rank. [B]"""
    tensor, expert = ranks
    found = []
    for kind in model.layer_kinds:
        size = sum(absorbed(mixer, tensor) for mixer in kind.mixers)
        if layout is not None:
            size += sum(
                added_by_layout(entry, quantization, layout, tensor, expert)
                for entry in kind.tensors()
                if entry.kind == "expert"
            )
        found.append(size)
    return tuple(found)


def absorbed(mixer: object, tensor_parallel: int) -> int:
    """Matrices that let queries meet the latent row itself, kept beside their source. [B]

    A = a/t·(n + v)·r·2

    a  heads   t  ranks   n, v  features of a key without position and of a value   r  latent rank

    Source: vLLM `v1/attention/backends/mla/common.py`, process_weights_after_loading: W_UK_T, W_UV.
    """
    if not isinstance(mixer, LatentAttention):
        return 0
    heads = ceil_div(mixer.heads, tensor_parallel)
    features = mixer.nope_head_dim + mixer.value_head_dim
    return bytes_of_bits(heads * features * mixer.kv_rank * COMPUTED_BITS)


def added_by_layout(
    entry: Tensor, quantization: Quantization, layout: ExpertLayout, tensor: int, expert: int
) -> int:
    """What a kernel's layout adds to a matrix of experts on one rank. [B]

    Source: vLLM `model_executor/layers/fused_moe/oracle/mxfp4.py`,
            mxfp4_round_up_hidden_size_and_intermediate_size.
    """
    form, part = quantization.form(entry), entry.sharded(tensor, expert)
    if not entry.linear:
        rows = round_up(part.rows, layout.width if entry.cut == "rows" else layout.hidden)
        wider = rows * layout.bias_bits - part.rows * COMPUTED_BITS
        return bytes_of_bits(wider * part.count)
    if form is None or not form.packed:
        return 0
    down = entry.cut == "columns"
    inner, outer = (layout.width, layout.hidden) if down else (layout.hidden, layout.width)
    rows, columns = round_up(part.rows, outer), round_up(part.columns, inner)
    laid = laid_bytes(form, layout, rows, columns, 1 if down else 2)
    return (laid - form.bytes(part.rows, part.columns)) * part.count


def laid_bytes(
    form: PackedFormat, layout: ExpertLayout, rows: int, columns: int, joined: int
) -> int:
    """One rounded matrix in a kernel's own order. [B]

    M = ⌈r⌉·⌈c·b/8⌉ + ⌈r⌉·⌈c/g⌉·b_g/8 + k·r·(c/g)·b_g/8

    r, c  rows and columns   b  bits of a value   g, b_g  values that share a scale, and its bits
    ⌈ ⌉   rounded up to the layout's steps, rows of `joined` matrices together
    k     1 where the scales as loaded stay

    Source: triton_kernels (in vLLM `third_party`), `tensor_details/layout_details/hopper_value.py`
            and `hopper_scale.py`, swizzle_data; the scales as loaded are freed from 0.25 on.
    """
    groups = ceil_div(columns, form.block_columns or columns)
    values = round_up(rows, ceil_div(layout.row_step, joined)) * round_up(
        bytes_of_bits(columns * form.bits), layout.byte_step
    )
    scales = round_up(rows, ceil_div(layout.scale_row_step, joined)) * round_up(
        groups, layout.scale_step
    )
    kept = rows * groups if layout.keeps_scales else 0
    return values + bytes_of_bits((scales + kept) * form.block_bits)
