"""The profile of vLLM: how a version sizes its peak, its graphs and what lies outside torch."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.profiles.base import BaseProfile, ByRanks


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmProfile(BaseProfile):
    """Constants of one version range of vLLM.

    sampler_copies         fp32 copies of the logits of all sequences that sampling holds
    sampler_hidden_copies  copies of the hidden states of a step that live beside them
    sampler_gib            constant of the sampler's peak
    forward_width_copies, forward_hidden_copies, forward_gib   same for the forward pass
    expert_workspace       whether routed experts keep a persistent workspace
    context_gib            used on the card before the model is loaded
    context_in_budget      whether the engine counts that inside its share
    expert_context_gib     additional for the expert-parallel communicator of mixtures
    non_torch_gib          allocated outside torch while loading and profiling
    graph_base_gib, graph_layer_gib, graph_mixture_gib   CUDA graphs
    graphs_in_budget       whether the engine sets graph memory aside inside its share
    """

    sampler_copies: float
    sampler_hidden_copies: float
    sampler_gib: float
    forward_width_copies: float
    forward_hidden_copies: float
    forward_gib: float
    expert_workspace: bool
    context_gib: tuple[ByRanks, ...]
    context_in_budget: bool
    expert_context_gib: float
    non_torch_gib: tuple[ByRanks, ...]
    graph_base_gib: float
    graph_layer_gib: float
    graph_mixture_gib: float
    graphs_in_budget: bool
