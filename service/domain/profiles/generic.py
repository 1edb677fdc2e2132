"""The profile of a plain server: no engine in particular."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.profiles.base import BaseProfile, ByRanks


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GenericProfile(BaseProfile):
    """Copies that one step holds, and what stands beside the model.

    logit_copies   fp32 copies of the logits of all sequences that sampling holds
    width_copies, hidden_copies   copies of the feed-forward's width and of the hidden states
    context_gib    context and libraries
    communicator_gib   buffers between ranks
    """

    logit_copies: float
    width_copies: float
    hidden_copies: float
    context_gib: float
    communicator_gib: tuple[ByRanks, ...]
