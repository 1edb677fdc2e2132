"""Gaps that swizzling experts leaves in torch's pool: reserved, in nobody's hands."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from service.domain.architecture import Architecture, Stage
from service.domain.engines.vllm.profile import profile_of
from service.domain.forms import TermForm, beside
from service.domain.profiles import share_by_ranks
from service.domain.questions import Serving
from service.domain.results import Value
from service.domain.units import ceil_div

SWIZZLING = "mxfp4-triton"
GROUP_BYTES, GROUP = 17, 32
"""MXFP4: 32 values of four bits and the scale that they share."""


@lru_cache(maxsize=2048)
def expert_bytes(model: Architecture, tensor: int, expert: int) -> tuple[int, ...]:
    """Packed experts of every kind of layer on one rank. [B]"""
    return tuple(
        ceil_div(
            sum(
                entry.sharded(tensor, expert).elements
                for entry in kind.tensors()
                if entry.kind == "expert" and entry.linear
            )
            * GROUP_BYTES,
            GROUP,
        )
        for kind in model.layer_kinds
    )


def fragmentation(serving: Serving, stage: Stage) -> int:
    """What torch keeps reserved between the experts that were swizzled when loaded. [B]

    M_f = f(t)·M_e

    f(t)  share of the profile, by tensor-parallel ranks   M_e  packed experts of the stage

    Holds when:  the checkpoint's own MXFP4 experts are served, by kernels that torch operations
                 prepare: their temporaries are as large as the matrix, and a smaller result pins
                 the segment. The engine's budget counts what is allocated, not what is reserved.
    Source:      a replay of torch's allocator over the steps of `swizzle_data`
                 (`benchmarks/loading`); vLLM `utils/mem_utils.py`, memory_profiling.
    Checked by:  gpt-oss-20b, 0.19, one H100: 0.22 of 9.5 GiB; the log's free memory says 2.0 GiB.
    """
    packed = expert_bytes(serving.model, serving.split.tensor, serving.split.expert)
    order = serving.model.layer_order[stage.start : stage.stop]
    share = share_by_ranks(profile_of(serving).expert_gap_shares, serving.split.tensor)
    return round(share * sum(packed[index] for index in order))


def swizzled(serving: Serving) -> bool:
    """Whether the card's kernel swizzles the experts of this checkpoint."""
    declared = serving.model.declared_quantization
    return (
        SWIZZLING in serving.kernels
        and declared is not None
        and declared.base in profile_of(serving).formats_without_workspace
    )


def gap_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the gaps."""
    del stage
    shares = profile_of(serving).expert_gap_shares
    return {
        "share": share_by_ranks(shares, serving.split.tensor),
        "tensor_parallel": serving.split.tensor,
    }


FRAGMENTATION = TermForm(
    name="fragmentation",
    follows_held=False,
    expected=fragmentation,
    values=gap_values,
    formula="share by tensor-parallel ranks x packed experts",
    provenance="derived",
    source="expert_gap_shares",
    side=beside,
    present=swizzled,
)
