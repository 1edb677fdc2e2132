"""Weights as vLLM loads them: the checkpoint, paddings of kernels, absorbed matrices."""

from __future__ import annotations

from functools import lru_cache

from service.domain.architecture import Architecture, Stage
from service.domain.engines.shared import checkpoint
from service.domain.mixers import LatentAttention
from service.domain.precision import Precision, Quantization
from service.domain.profiles import Profile, VllmProfile
from service.domain.profiles.vllm import ExpertPadding
from service.domain.questions import Placement
from service.domain.tensors import Tensor
from service.domain.units import bytes_of_bits, ceil_div, round_up

COMPUTED_BITS = 16
"""Absorbed matrices are kept in 16 bits, whatever the checkpoint stores."""


def weights(placement: Placement, profile: Profile, stage: Stage) -> int:
    """Weights on one rank of a stage as vLLM holds them. [B]

    M_w = M_checkpoint + Σ_layers (P + A)

    P  what a kernel pads experts by   A  absorbed matrices of latent attention

    Holds when:  the kernel of the profile runs.
    Source:      see both parts.
    Checked by:  gpt-oss-20b in MXFP4 on one card, widths padded to 128 and hidden sizes to 256:
                 13.65 GiB; the log says 13.64.
    """
    whole = checkpoint(placement, profile, stage)
    split = placement.split
    padding = (
        profile.expert_padding.get(placement.quantization.kernel)
        if isinstance(profile, VllmProfile)
        else None
    )
    extra = beyond_checkpoint(
        placement.model,
        placement.quantization,
        placement.precision,
        padding,
        (split.tensor, split.expert),
    )
    if not any(extra):
        return whole
    return whole + sum(
        extra[index] for index in placement.model.layer_order[stage.start : stage.stop]
    )


@lru_cache(maxsize=2048)
def beyond_checkpoint(
    model: Architecture,
    quantization: Quantization,
    precision: Precision,
    padding: ExpertPadding | None,
    ranks: tuple[int, int],
) -> tuple[int, ...]:
    """What every kind of layer takes beyond the checkpoint on one rank. [B]"""
    tensor, expert = ranks
    found = []
    for kind in model.layer_kinds:
        size = sum(absorbed(mixer, tensor) for mixer in kind.mixers)
        if padding is not None:
            size += sum(
                padded(entry, quantization, padding, tensor, expert)
                for entry in kind.tensors()
                if entry.kind == "expert" and quantization.packs(entry)
            )
        found.append(size)
    del precision
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


def padded(
    entry: Tensor, quantization: Quantization, padding: ExpertPadding, tensor: int, expert: int
) -> int:
    """What a kernel adds to a matrix of experts on one rank. [B]

    Source: vLLM `model_executor/layers/quantization/mxfp4.py`, create_weights.
    """
    form, part = quantization.form(entry), entry.sharded(tensor, expert)
    if form is None:
        return 0
    inner, outer = (
        (padding.width, padding.hidden)
        if entry.cut == "columns"
        else (padding.hidden, padding.width)
    )
    rows, columns = round_up(part.rows, outer), round_up(part.columns, inner)
    return (form.bytes(rows, columns) - form.bytes(part.rows, part.columns)) * part.count
