"""The union of token mixers: one line for each kind."""

from __future__ import annotations

from service.domain.mixers.attention import Attention
from service.domain.mixers.latent import LatentAttention

Mixer = Attention | LatentAttention
