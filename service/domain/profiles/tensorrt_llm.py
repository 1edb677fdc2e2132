"""The profile of TensorRT-LLM: what stands beside the engine before the cache takes the rest."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.profiles.base import BaseProfile, ByRanks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TensorrtLlmProfile(BaseProfile):
    """Constants of one version range of TensorRT-LLM.

    width_copies, hidden_copies   copies of a block's width and hidden states in the largest step
    logit_copies      fp32 copies of the logits of all sequences
    context_gib       CUDA context and libraries
    communicator_gib  buffers between ranks
    graph_gib         one captured graph
    graphs            graphs that are captured
    """

    width_copies: float
    hidden_copies: float
    logit_copies: float
    context_gib: float
    communicator_gib: tuple[ByRanks, ...]
    graph_gib: float
    graphs: int
