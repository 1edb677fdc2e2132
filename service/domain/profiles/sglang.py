"""The profile of SGLang: its share of a card, its chunks and its graphs."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.profiles.base import BaseProfile, ByRanks


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphBatch:
    """Largest batch that graphs are captured for, on cards and ranks of at least this size."""

    min_card_gib: float
    ranks: int
    sequences: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SglangProfile(BaseProfile):
    """Constants of one version range of SGLang.

    reserve_mib          kept for what is outside the static share, whatever the model
    reserve_chunk_mib    per token of a prefill chunk
    reserve_chunk_floor  tokens of a chunk that are reserved for at least
    reserve_graph_mib    per sequence of the largest graph
    reserve_rank_mib     per rank of a replica
    large_card_gib       above this the reserve is at least `large_reserve_gib`
    graph_batches        largest batch of graphs: the first entry that fits applies
    width_copies, hidden_copies   copies of a block's width and hidden states in a prefill chunk
    logit_copies         fp32 copies of a step's logits
    context_gib          used on a card before the weights are loaded, by ranks
    graph_base_gib, graph_layer_gib   CUDA graphs, beside the logits of the largest batch
    window_pool_families   families whose windows have a pool of their own
    window_pool_ratio      tokens of that pool, as a part of those of whole contexts
    state_pool_ratio       bytes of the pool of states, as a part of those of tokens
    state_slots            slots of states that a running sequence takes while prefixes are cached
    """

    reserve_mib: float
    reserve_chunk_mib: float
    reserve_chunk_floor: int
    reserve_graph_mib: float
    reserve_rank_mib: float
    large_card_gib: float
    large_reserve_gib: float
    graph_batches: tuple[GraphBatch, ...]
    width_copies: float
    hidden_copies: float
    logit_copies: float
    context_gib: tuple[ByRanks, ...]
    graph_base_gib: float
    graph_layer_gib: float
    window_pool_families: tuple[str, ...]
    window_pool_ratio: float
    state_pool_ratio: float
    state_slots: int
