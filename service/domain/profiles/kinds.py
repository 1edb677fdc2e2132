"""Which kinds of engine there are: one module for each engine kind, one line in the table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from service.domain.profiles.generic import GenericProfile
from service.domain.profiles.llama_cpp import LlamaCppProfile
from service.domain.profiles.sglang import SglangProfile
from service.domain.profiles.tensorrt_llm import TensorrtLlmProfile
from service.domain.profiles.transformers import TransformersProfile
from service.domain.profiles.vllm import VllmProfile

EngineKind = Literal["vllm", "sglang", "tensorrt-llm", "llama.cpp", "transformers", "generic"]
Profile = (
    VllmProfile
    | SglangProfile
    | TensorrtLlmProfile
    | LlamaCppProfile
    | TransformersProfile
    | GenericProfile
)

PROFILES: Mapping[EngineKind, type[Profile]] = {
    "vllm": VllmProfile,
    "sglang": SglangProfile,
    "tensorrt-llm": TensorrtLlmProfile,
    "llama.cpp": LlamaCppProfile,
    "transformers": TransformersProfile,
    "generic": GenericProfile,
}
"""Engine kind → the shape of its version profiles."""
