"""Token mixers: what each kind weighs, what it keeps of a sequence, and how ranks share both."""

from __future__ import annotations

from service.domain.mixers.attention import Attention
from service.domain.mixers.kinds import Mixer, StateMixer
from service.domain.mixers.latent import LatentAttention
from service.domain.mixers.linear_attention import (
    DeltaAttention,
    GatedDeltaNet,
    LightningAttention,
)
from service.domain.mixers.recurrence import GatedRecurrence, ShortConvolution
from service.domain.mixers.sparse import CompressedAttention, Indexer
from service.domain.mixers.state_space import GroupedStateSpace, SelectiveStateSpace

__all__ = [
    "Attention",
    "CompressedAttention",
    "DeltaAttention",
    "GatedDeltaNet",
    "GatedRecurrence",
    "GroupedStateSpace",
    "Indexer",
    "LatentAttention",
    "LightningAttention",
    "Mixer",
    "SelectiveStateSpace",
    "ShortConvolution",
    "StateMixer",
]
