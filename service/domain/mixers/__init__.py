"""Token mixers: what each kind weighs, what it keeps of a sequence, and how ranks share both."""

from __future__ import annotations

from service.domain.mixers.attention import Attention
from service.domain.mixers.kinds import Mixer
from service.domain.mixers.latent import LatentAttention

__all__ = ["Attention", "LatentAttention", "Mixer"]
