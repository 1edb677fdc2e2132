"""Why a measured quantity lies off its prediction: the mechanisms that are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """A mechanism that moves a quantity to one side by at least a share of what was expected."""

    name: str
    side: Literal["more", "less"]
    least_share: float
    sentence: str
    source: str


def cause(
    name: str, side: Literal["more", "less"], least_share: float, sentence: str, source: str
) -> Cause:
    """One row of the table."""
    return Cause(name=name, side=side, least_share=least_share, sentence=sentence, source=source)


LOADER = "vLLM model_executor/model_loader"
PROFILER = "vLLM v1/worker/gpu_worker.py, determine_available_memory"
GRAPHS = "vLLM config/compilation.py"
LLAMA = "llama.cpp src/llama-context.cpp, src/llama-kv-cache.cpp"
TORCH = "PyTorch CUDA caching allocator notes"
CAUSES = (
    cause("weights_bytes", "more", 0.4, "the weights were loaded at a wider type than the request "
          "says, or over fewer ranks: check quantization, precision and tensor_parallel", LOADER),
    cause("weights_bytes", "more", 0.0, "tensors that the request does not count were loaded, such "
          "as draft layers, a vision tower, or copies that kernels repack", LOADER),
    cause("weights_bytes", "less", 0.4, "the checkpoint is quantized further, or cut over more "
          "ranks, than the request says", LOADER),
    cause("weights_bytes", "less", 0.0, "tensors were shared or left out, such as a tied head or "
          "an unused tower", LOADER),
    cause("model_buffer_bytes", "more", 0.0, "the file's mix of quantizations is heavier than the "
          "name's typical one, or the embedding table is on the card too", LLAMA),
    cause("model_buffer_bytes", "less", 0.0, "not all layers were offloaded to this card, or the "
          "file's mix is lighter; give the file's header for exact figures", LLAMA),
    cause("activations_bytes", "more", 0.0, "larger steps were profiled than the request says "
          "(max_batched_tokens, max_sequences), or an older sampler, or images", PROFILER),
    cause("activations_bytes", "less", 0.0, "smaller steps were profiled than the request says: "
          "check max_batched_tokens, max_sequences and the engine's version", PROFILER),
    cause("compute_buffer_bytes", "more", 0.0, "flash attention is off, n_ubatch is larger, or "
          "several cards keep copies of the graph's inputs", LLAMA),
    cause("compute_buffer_bytes", "less", 0.0, "n_ubatch is smaller, or the output layer runs on "
          "another card", LLAMA),
    cause("cuda_graphs_bytes", "more", 0.0, "more sizes or a second mode of graphs were captured, "
          "or communicators were set up meanwhile", GRAPHS),
    cause("cuda_graphs_bytes", "less", 0.0, "fewer sizes were captured, or the run is eager: set "
          "max_sequences or cuda_graphs", GRAPHS),
    cause("non_torch_bytes", "more", 0.0, "communication over several nodes, or another version's "
          "all-reduce buffers; another process on the card counts here too", PROFILER),
    cause("non_torch_bytes", "less", 0.0, "a version or a link with smaller communication "
          "buffers", PROFILER),
    cause("init_used_bytes", "more", 0.0, "something else already ran on the card", PROFILER),
    cause("init_used_bytes", "less", 0.0, "a smaller context of this driver", PROFILER),
    cause("kv_cache_capacity_bytes", "more", 0.0, "the terms before the cache took less, or "
          "memory_utilization is higher than the request says", PROFILER),
    cause("kv_cache_capacity_bytes", "less", 0.0, "the terms before the cache took more, or "
          "memory_utilization is lower, or another process held memory", PROFILER),
    cause("kv_cache_capacity_tokens", "more", 0.4, "the cache has a narrower type, or this version "
          "counts tokens of mixed layers differently", "vLLM v1/core/kv_cache_utils.py"),
    cause("kv_cache_capacity_tokens", "more", 0.0, "the pool is larger: see its bytes", PROFILER),
    cause("kv_cache_capacity_tokens", "less", 0.4, "the cache has a wider type, or this version "
          "counts tokens of mixed layers differently", "vLLM v1/core/kv_cache_utils.py"),
    cause("kv_cache_capacity_tokens", "less", 0.0, "the pool is smaller: see its bytes", PROFILER),
    cause("kv_buffer_bytes", "more", 0.0, "the context is longer, has more slots, or a wider type "
          "of cache; or sliding layers keep it whole", LLAMA),
    cause("kv_buffer_bytes", "less", 0.0, "the context was lowered to what fits, has fewer slots "
          "or a narrower type of cache", LLAMA),
    cause("reserved_bytes", "more", 0.0, "the allocator keeps freed blocks while the card has "
          "room; it is not needed memory", TORCH),
    cause("allocated_bytes", "more", 0.0, "longer sequences, another attention path, or a loss "
          "that keeps more copies of the logits than the request says", TORCH),
    cause("allocated_bytes", "less", 0.0, "shorter sequences than the request says, or a loss "
          "without copies of the logits", TORCH),
    cause("driver_bytes", "more", 0.0, "the allocator keeps freed blocks, or another process is "
          "on the card", TORCH),
)  # fmt: skip
"""First match counts: larger differences stand before smaller ones of the same side."""


def likely_cause(name: str, difference: float, expected: float) -> Cause | None:
    """The first mechanism that moves a quantity to that side by that much; None where unknown."""
    side = "more" if difference > 0 else "less"
    share = abs(difference) / expected if expected else 1.0
    rows = (row for row in CAUSES if row.name == name and row.side == side)
    return next((row for row in rows if share >= row.least_share), None)
