"""The union of token mixers: one line for each kind."""

from __future__ import annotations

from service.domain.mixers.attention import Attention
from service.domain.mixers.latent import LatentAttention
from service.domain.mixers.linear_attention import (
    DeltaAttention,
    GatedDeltaNet,
    LightningAttention,
)
from service.domain.mixers.recurrence import GatedRecurrence, ShortConvolution
from service.domain.mixers.sparse import CompressedAttention, Indexer
from service.domain.mixers.state_space import GroupedStateSpace, SelectiveStateSpace

StateMixer = (
    SelectiveStateSpace
    | GroupedStateSpace
    | GatedRecurrence
    | ShortConvolution
    | GatedDeltaNet
    | DeltaAttention
    | LightningAttention
)
"""Mixers that keep a state of fixed size instead of a cache."""

Mixer = Attention | LatentAttention | CompressedAttention | Indexer | StateMixer
