"""The profile of vLLM: how a version sizes its peak, its graphs and what lies outside torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.profiles.base import BaseProfile, ByRanks, ShareByRanks


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpertLayout:
    """How a kernel keeps the packed experts of a rank; gate and up stand in one matrix.

    width, hidden    multiples to which an expert's width and its hidden size are rounded
    row_step, byte_step   multiples of rows, and of bytes in a row, in the kernel's own order
    scale_row_step, scale_step   the same of the scales
    keeps_scales     whether the scales as loaded stay beside the kernel's own
    bias_bits        bits of a bias as the kernel wants it
    """

    width: int
    hidden: int
    row_step: int = 1
    byte_step: int = 1
    scale_row_step: int = 1
    scale_step: int = 1
    keeps_scales: bool = False
    bias_bits: int = 16


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VllmProfile(BaseProfile):
    """Constants of one version range of vLLM.

    sampler_copies         fp32 copies of the logits of all sequences that sampling holds
    sampler_hidden_copies  copies of the hidden states of a step that live beside them
    sampler_gib            constant of the sampler's peak
    forward_width_copies, forward_hidden_copies, forward_gib   same for the forward pass
    expert_workspace       whether routed experts keep a persistent workspace
    formats_without_workspace   checkpoint formats whose expert kernels keep none
    whole_window_families  families whose windows are kept whole even so
    hybrid_pool            whether layers of several kinds share the pool in groups
    tokens_by_concurrency  whether the log's tokens are concurrency times context
    context_gib            used on the card before the model is loaded, where cards are linked by
                           switches; context_plain_gib on other cards
    context_in_budget      whether the engine counts that inside its share
    expert_context_gib     additional for the expert-parallel communicator of mixtures
    non_torch_gib          allocated outside torch while loading and profiling, where cards are
                           linked by switches
    non_torch_plain_gib    the same on other cards
    graph_base_gib, graph_layer_gib   CUDA graphs of all default sizes
    graph_mixture_gib, graph_latent_gib   more for experts, and for latent attention
    graph_rank_gib         less on so many tensor-parallel ranks
    graph_limit, graph_limit_by_family    largest batch that is captured
    expert_layouts         layout, or kernel where hardware names none -> how it keeps experts
    expert_gap_shares      what swizzling leaves unused in torch's pool, by tensor-parallel ranks
    graphs_in_budget       whether the engine sets graph memory aside inside its share
    """

    sampler_copies: float
    sampler_hidden_copies: float
    sampler_gib: float
    forward_width_copies: float
    forward_hidden_copies: float
    forward_gib: float
    expert_workspace: bool
    formats_without_workspace: tuple[str, ...]
    hybrid_pool: bool
    whole_window_families: tuple[str, ...]
    tokens_by_concurrency: bool
    context_gib: tuple[ByRanks, ...]
    context_plain_gib: tuple[ByRanks, ...]
    context_in_budget: bool
    expert_context_gib: float
    non_torch_gib: tuple[ByRanks, ...]
    non_torch_plain_gib: tuple[ByRanks, ...]
    graph_base_gib: float
    graph_layer_gib: float
    graph_mixture_gib: float
    graph_latent_gib: float
    graph_rank_gib: tuple[ByRanks, ...]
    graph_limit: int
    graph_limit_by_family: Mapping[str, int]
    expert_layouts: Mapping[str, ExpertLayout]
    expert_gap_shares: tuple[ShareByRanks, ...]
    graphs_in_budget: bool
