"""vLLM, part by part: weights, pool, peaks, graphs, and the table that joins them."""

from service.domain.engines.vllm.model import VLLM

__all__ = ["VLLM"]
