"""Which engine kind has which memory: one line each."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.engines.generic import GENERIC
from service.domain.engines.vllm import VLLM
from service.domain.forms import EngineModel
from service.domain.profiles import EngineKind

ENGINE_MODELS: Mapping[EngineKind, EngineModel] = {"vllm": VLLM, "generic": GENERIC}
"""Engine kind → its terms and its pool."""
