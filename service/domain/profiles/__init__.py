"""Version profiles of engines: one module for each engine kind, one line in the table of kinds."""

from service.domain.profiles.base import (
    BaseProfile,
    BatchDefaults,
    ByRanks,
    ShareByRanks,
    Spread,
    by_ranks,
    share_by_ranks,
    version_key,
)
from service.domain.profiles.generic import GenericProfile
from service.domain.profiles.kinds import PROFILES, EngineKind, Profile
from service.domain.profiles.llama_cpp import LlamaCppProfile
from service.domain.profiles.sglang import SglangProfile
from service.domain.profiles.tensorrt_llm import TensorrtLlmProfile
from service.domain.profiles.transformers import TransformersProfile
from service.domain.profiles.vllm import VllmProfile

__all__ = [
    "PROFILES",
    "BaseProfile",
    "BatchDefaults",
    "ByRanks",
    "EngineKind",
    "GenericProfile",
    "LlamaCppProfile",
    "Profile",
    "SglangProfile",
    "ShareByRanks",
    "Spread",
    "TensorrtLlmProfile",
    "TransformersProfile",
    "VllmProfile",
    "by_ranks",
    "share_by_ranks",
    "version_key",
]
