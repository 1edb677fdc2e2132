"""Which engine kind has which memory: one line each."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.engines.generic import GENERIC
from service.domain.engines.llama_cpp import LLAMA_CPP
from service.domain.engines.sglang import SGLANG
from service.domain.engines.tensorrt_llm import TENSORRT_LLM
from service.domain.engines.transformers import TRANSFORMERS
from service.domain.engines.vllm.model import VLLM
from service.domain.forms import EngineModel
from service.domain.profiles import EngineKind

ENGINE_MODELS: Mapping[EngineKind, EngineModel] = {
    "vllm": VLLM,
    "sglang": SGLANG,
    "tensorrt-llm": TENSORRT_LLM,
    "llama.cpp": LLAMA_CPP,
    "transformers": TRANSFORMERS,
    "generic": GENERIC,
}
"""Engine kind → its terms and its pool."""
