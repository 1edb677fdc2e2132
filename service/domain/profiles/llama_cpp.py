"""The profile of llama.cpp: its batch, its paddings and its compute buffers."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.profiles.base import BaseProfile


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LlamaCppProfile(BaseProfile):
    """Constants of one version range of llama.cpp.

    cell_tokens          cells are rounded up to this with flash attention
    eager_cell_tokens    and to this without
    output_copies        copies of the hidden states beside the logits
    block_copies         copies of the hidden states beside a layer's mask and scores
    mask_bytes           bytes of the mask a cell and token of a step, flash attention's copy apart
    flash_mask_bytes     bytes of that copy
    pipeline_copies      copies of a graph's inputs where several cards work one after the other
    context_gib          CUDA context and libraries, in no buffer
    """

    cell_tokens: int
    eager_cell_tokens: int
    output_copies: int
    block_copies: int
    mask_bytes: int
    flash_mask_bytes: int
    pipeline_copies: int
    context_gib: float
