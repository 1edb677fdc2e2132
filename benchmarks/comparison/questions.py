"""The twenty questions: models as they are released, 16 sequences of 8,192 tokens, on H100s."""

from __future__ import annotations

from collections.abc import Mapping

CONTEXT_TOKENS = 8192
SEQUENCES = 16
CARD = "h100-sxm5-80gb"
SHARE = 0.92
STEP_TOKENS = 8192
COUNTS = (1, 2, 4, 8, 16)
MODELS: Mapping[str, str | None] = {
    "llama-3.1-8b": "llama-3.1-8b",
    "llama-3.3-70b": "llama-3.3-70b",
    "llama-3.1-405b": "llama-3.1-405b",
    "mistral-7b-instruct-v0.3": "mistral-7b",
    "mixtral-8x7b-v0.1": "mixtral-8x7b",
    "mixtral-8x22b-v0.1": "mixtral-8x22b",
    "qwen2.5-7b": "qwen2.5-7b",
    "qwen2.5-14b": "qwen2.5-14b",
    "qwen2.5-32b": "qwen2.5-32b",
    "qwen2.5-72b": "qwen2.5-72b",
    "qwen3-8b": None,
    "qwen3-32b": None,
    "qwen3-30b-a3b": None,
    "qwen3-235b-a22b": None,
    "gemma-2-9b": "gemma-2-9b",
    "gemma-2-27b": "gemma-2-27b",
    "gemma-3-27b-it": None,
    "phi-4": "phi-4",
    "deepseek-v3.1": "deepseek-v3",
    "gpt-oss-120b": None,
}
"""By the catalog's id: under which name llm-sizer knows the model, if it does."""
