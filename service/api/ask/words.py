"""The words of the command line: one table each for commands, keys, phrases, nouns and small words.

Names on the right are those of the flat query parameters, and a few whose field depends on the
rest of the line, as `reading.py` says:

tokens   context of a served sequence, length of a trained one
batch    sequences served at a time, a micro-batch
users    sequences served at a time
format   quantization of the weights
plain    weights as they are, in this precision
count    most cards of a plan, cards of an estimate
memory   gigabytes on the box
vendor   all cards of a maker
times    as often as a neighbour
share    whether all may read the answer
"""

from __future__ import annotations

from collections.abc import Mapping

from service.api.ask.names import UNSPACED
from service.api.flat import ALIASES, ESTIMATE_PLACES, PLAN_PLACES

COMMANDS: Mapping[str, str] = {
    "help": "help", "?": "help", "usage": "help",
    "cards": "cards", "gpus": "cards",
    "models": "models",
    "explain": "explain",
    "compare": "compare",
    "plan": "plan",
    "estimate": "estimate", "check": "estimate", "fits": "estimate", "fit": "estimate",
}  # fmt: skip
"""First words that say what is asked; without one a line is a plan."""

VERSUS = frozenset({"vs", "versus", "against"})

SHORT_KEYS: Mapping[str, str] = {
    "ctx": "tokens", "context": "tokens", "context_length": "tokens", "length": "tokens",
    "seq": "tokens", "seqlen": "tokens", "seq_len": "tokens", "max_seq_len": "tokens",
    "max_model_len": "tokens", "tokens": "tokens", "n_ctx": "tokens", "window": "tokens",
    "users": "users", "user": "users", "concurrent": "users", "conc": "users",
    "requests": "users", "sequences": "users", "sessions": "users", "streams": "users",
    "batch": "batch", "bs": "batch", "batch_size": "batch", "mbs": "batch",
    "per_device_train_batch_size": "micro_batch_size",
    "gpu": "gpu", "gpus": "gpu", "card": "gpu", "cards": "gpu", "on": "gpu", "vendor": "vendor",
    "max": "count", "upto": "count", "atmost": "count", "under": "count", "below": "count",
    "max_gpus": "max_cards", "nodes": "max_nodes", "servers": "max_nodes",
    "per_node": "max_cards_per_node", "gpus_per_node": "max_cards_per_node",
    "budget": "max_hourly_usd", "usd": "max_hourly_usd", "power": "max_power_watts",
    "watts": "max_power_watts", "headroom": "min_headroom", "quality": "max_quality_loss",
    "goal": "objective", "optimize": "objective", "prefer": "objective",
    "q": "format", "quant": "format", "quantization": "format", "quantizations": "format",
    "format": "format", "weights": "format",
    "dtype": "plain",
    "kv_cache": "kv_cache_precision", "kv_cache_dtype": "kv_cache_precision",
    "size": "parameters", "params": "parameters",
    "max_num_seqs": "max_sequences", "max_running_requests": "max_sequences",
    "max_num_batched_tokens": "max_batched_tokens", "chunked_prefill_size": "max_batched_tokens",
    "gpu_memory_utilization": "memory_utilization", "mem_fraction_static": "memory_utilization",
    "utilization": "memory_utilization", "vram": "memory",
    "tensor_parallel_size": "tensor_parallel", "tp_size": "tensor_parallel",
    "pipeline_parallel_size": "pipeline_parallel", "pp_size": "pipeline_parallel",
    "data_parallel_size": "data_parallel", "expert_parallel_size": "expert_parallel",
    "r": "rank", "lora_rank": "rank", "opt": "optimizer", "grad_accum": "gradient_accumulation",
    "gradient_accumulation_steps": "gradient_accumulation",
    "checkpointing": "activation_checkpointing",
}  # fmt: skip

KEYS: Mapping[str, str] = {
    **{name: name for name in (*PLAN_PLACES, *ESTIMATE_PLACES)},
    **ALIASES,
    **SHORT_KEYS,
}
"""Words before `=`, `:` or their value; every query parameter is one."""

NAMED = frozenset({
    "model", "gpu", "vendor", "engine", "framework", "optimizer", "format", "plain", "precision",
})  # fmt: skip
"""Fields whose values are known by themselves: as bare words their keys say nothing."""

BARE_KEYS = frozenset(KEYS) - {"on", "q", "limit", "compile", "explain", "keep", "kind"}
"""Keys that take the next word without `=`."""


Fields = tuple[tuple[str, str], ...]


def spelled(table: Mapping[tuple[str, ...], tuple[tuple[str, str], ...]]) -> dict[str, Fields]:
    """A table of phrases by each spelling without spaces and dashes."""
    return {
        words.translate(UNSPACED): fields for phrases, fields in table.items() for words in phrases
    }


TABLE: Mapping[tuple[str, ...], Fields] = {
    ("train", "training", "finetune", "fine-tuning", "finetuning", "pretrain", "sft"):
        (("kind", "training"),),
    ("serve", "serving", "infer", "inference", "host", "hosting", "deploy", "run"):
        (("kind", "inference"),),
    ("lora",): (("method", "lora"),),
    ("qlora",): (("method", "qlora"),),
    ("full", "full finetune", "full fine-tuning"): (("method", "full"),),
    ("cheapest", "lowest cost", "least cost", "lowest price", "by price"):
        (("objective", "lowest-cost"),),
    ("fewest", "fewest cards", "fewest gpus", "smallest"): (("objective", "fewest-cards"),),
    ("greenest", "lowest power", "least power"): (("objective", "lowest-power"),),
    ("best quality", "highest quality"): (("objective", "highest-quality"),),
    ("least memory",): (("objective", "least-memory"),),
    ("lossless",): (("max_quality_loss", "none"),),
    ("bf16", "bfloat16"): (("plain", "bfloat16"),),
    ("fp16", "float16", "half"): (("plain", "float16"),),
    ("fp32", "float32", "single"): (("plain", "float32"),),
    ("fp64", "float64", "double"): (("plain", "float64"),),
    ("fp8", "float8", "f8", "8-bit float"): (("format", "fp8"),),
    ("int8", "i8", "w8a8"): (("format", "int8"),),
    ("8bit", "8-bit"): (("format", "8bit"),),
    ("int4", "i4", "4bit", "4-bit", "w4a16"): (("format", "int4"),),
    ("unquantized", "unquantised", "no quantization", "not quantized"): (("format", "none"),),
    ("fsdp", "fsdp2"): (("sharding", "fsdp"),),
    ("ddp",): (("sharding", "ddp"),),
    ("zero1", "zero stage 1"): (("sharding", "zero-1"),),
    ("zero2", "zero stage 2"): (("sharding", "zero-2"),),
    ("zero3", "zero stage 3"): (("sharding", "zero-3"),),
    ("cpu offload", "offload everything"): (("offload", "all"),),
    ("gradient checkpointing", "grad checkpointing", "activation checkpointing",
     "full checkpointing", "grad ckpt"): (("activation_checkpointing", "full"),),
    ("selective checkpointing",): (("activation_checkpointing", "selective"),),
    ("amp", "mixed precision"): (("regime", "amp"),),
    ("fp32 master",): (("regime", "fp32-master"),),
    ("packed", "padding-free", "sample packing"): (("padding_free", "true"),),
    ("compile", "compiled", "torch compile"): (("compile", "true"),),
    ("enforce eager", "no cuda graphs"): (("cuda_graphs", "false"),),
    ("share", "public", "for all"): (("share", "yes"),),
    ("at most", "up to", "no more than"): (("key", "count"),),
    ("kv", "kv cache"): (("key", "kv_cache_precision"),),
    ("grad accum", "gradient accumulation"): (("key", "gradient_accumulation"),),
    ("per node",): (("key", "max_cards_per_node"),),
    ("batch size", "micro batch", "micro batch size"): (("key", "batch"),),
    ("context length", "sequence length", "seq length", "max context"): (("key", "tokens"),),
    ("max users", "concurrent users"): (("key", "users"),),
    ("max cards", "max gpus"): (("key", "count"),),
    ("max nodes",): (("key", "max_nodes"),),
    ("max power",): (("key", "max_power_watts"),),
}  # fmt: skip
"""Phrases with the fields that they say; a `key` takes the next word as its value."""

PHRASES: Mapping[str, Fields] = spelled(TABLE)
SINGLE_WORDS = frozenset(words for phrases in TABLE for words in phrases if " " not in words)

NOUNS: Mapping[str, str] = {
    **dict.fromkeys(("tokens", "token", "tok", "context", "ctx", "seq", "window"), "tokens"),
    **dict.fromkeys(
        ("users", "user", "concurrent", "requests", "sequences", "sessions", "streams", "people"),
        "users",
    ),
    **dict.fromkeys(("cards", "card", "gpus", "gpu"), "count"),
    **dict.fromkeys(("nodes", "node", "servers", "server"), "max_nodes"),
    **dict.fromkeys(("watts", "watt", "w", "kw"), "max_power_watts"),
    **dict.fromkeys(("usd", "dollars", "dollar"), "max_hourly_usd"),
    **dict.fromkeys(("parameters", "params"), "parameters"),
    **dict.fromkeys(("batch", "bs"), "batch"),
}
"""Words after a number: `50 users`, `8 cards`."""

SMALL = frozenset({
    "a", "an", "and", "at", "by", "cards", "card", "each", "for", "gpu", "gpus", "hour", "i", "in",
    "it", "me", "model", "my", "of", "on", "only", "or", "per", "please", "than", "that", "the",
    "to", "use", "using", "want", "with",
})  # fmt: skip
"""Words that say nothing by themselves."""

OBJECTIVES: Mapping[str, str] = {
    "cost": "lowest-cost", "price": "lowest-cost", "cheapest": "lowest-cost",
    "power": "lowest-power", "energy": "lowest-power", "quality": "highest-quality",
    "memory": "least-memory", "fewest": "fewest-cards", "cards": "fewest-cards",
}  # fmt: skip

MEANT: Mapping[tuple[str, str, str], Fields] = {
    ("inference", "format", "int8"): (("format", "int8-w8a8"),),
    ("inference", "format", "int4"): (("format", "awq-int4"), ("format", "gptq-int4")),
    ("inference", "format", "8bit"): (("format", "fp8"), ("format", "int8-w8a8")),
    ("training", "format", "8bit"): (("format", "llm-int8"),),
    ("training", "format", "int8"): (("format", "llm-int8"),),
    ("training", "format", "int4"): (("format", "nf4"),),
    ("training", "format", "fp8"): (("regime", "fp8"),),
    ("training", "engine", "transformers"): (("framework", "transformers"),),
}
"""What a word is where serving and training use it differently."""
