"""The profile of transformers' `generate`: how a version grows its cache and cuts its logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.domain.profiles.base import BaseProfile

Growth = Literal["whole", "layer"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TransformersProfile(BaseProfile):
    """Constants of one version range of transformers.

    growth         what stands twice while a token is added: the whole cache, or one layer's values
    prompt_logits  bytes a logit of every token of the prompt, 0 where only the last is computed
    fused          families whose gate and up projection are one matrix
    context_gib    CUDA context, libraries and kernels outside the allocator
    """

    growth: Growth
    prompt_logits: int
    fused: tuple[str, ...]
    context_gib: float
