"""Plans to be written for every system: serving and training, one card to several nodes."""

from typing import Any

SERVING = {"kind": "inference"}
TRAINING = {"kind": "training"}


def serving(
    model: str, gpu: str, workload: dict[str, Any] | None = None, **rest: Any
) -> dict[str, Any]:
    """A plan's body; `rest` are choices, or limits where they begin with max_."""
    return body(model, gpu, {**SERVING, **(workload or {})}, rest)


def training(model: str, gpu: str, max_cards: int = 16, **workload: Any) -> dict[str, Any]:
    """A plan's body."""
    return body(model, gpu, {**TRAINING, **workload}, {"max_cards": max_cards, "max_nodes": 8})


def body(model: str, gpu: str, workload: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    limits = {name: value for name, value in rest.items() if name.startswith("max_")}
    choices = {name: value for name, value in rest.items() if name not in limits}
    chosen = {"gpus": [gpu], **choices}
    return {"model": model, "workload": workload, "choices": chosen, "limits": limits}


H100, L4, A100, MI300X = "h100-sxm5-80gb", "l4-24gb", "a100-sxm4-80gb", "mi300x-192gb"
ZERO = {"sharding": "zero-3", "regime": "fp32-master"}
LARGE = {"quantizations": ["fp8-block"], "max_cards": 32}
POOL = [{"gpu": A100, "nodes": 3, "cards_per_node": 2}]
PLANS: dict[str, dict[str, Any]] = {
    "one card": serving("llama-3.1-8b", H100),
    "one small card": serving("llama-3.2-1b", L4),
    "stages": serving(
        "llama-3.3-70b", H100, {"concurrency": 16, "context_tokens": 32768}, pipeline_parallel=[3]
    ),
    "tensor parallel": serving(
        "llama-3.3-70b", H100, quantizations=["none"], tensor_parallel=[4], pipeline_parallel=[1]
    ),
    "uneven nodes": serving("deepseek-v3", H100, tensor_parallel=[4], **LARGE),
    "even nodes": serving("deepseek-v3", H100, tensor_parallel=[8], **LARGE),
    "slice": serving("llama-3.1-8b", "a100-sxm4-80gb-mig-3g.40gb"),
    "small slice": serving("llama-3.2-1b", "h100-sxm5-80gb-mig-1g.10gb"),
    "amd": serving("llama-3.3-70b", MI300X),
    "amd tensor parallel": serving("llama-3.1-405b", MI300X, tensor_parallel=[8]),
    "amd without label": serving("llama-3.1-8b", "rx-7900-xtx-24gb", {"engine": "llama.cpp"}),
    "packed cache": serving("llama-3.1-8b", "l40s-48gb", kv_cache_precisions=["fp8"]),
    "sglang": serving("llama-3.3-70b", H100, {"engine": "sglang"}, quantizations=["fp8"]),
    "sglang on nodes": serving(
        "deepseek-v3", H100, {"engine": "sglang"}, tensor_parallel=[8], **LARGE
    ),
    "tensorrt-llm": serving(
        "llama-3.3-70b", H100, {"engine": "tensorrt-llm"}, quantizations=["fp8"]
    ),
    "llama.cpp": serving(
        "llama-3.1-8b",
        "rtx-4090-24gb",
        {"engine": "llama.cpp", "concurrency": 3},
        kv_cache_precisions=["q8_0"],
    ),
    "llama.cpp on two": serving("llama-3.3-70b", "rtx-4090-24gb", {"engine": "llama.cpp"}),
    "own server": serving("llama-3.1-8b", "a10-24gb", {"engine": "transformers"}),
    "replicas": serving(
        "llama-3.1-8b",
        L4,
        {"concurrency": 24},
        quantizations=["none"],
        tensor_parallel=[1],
        pipeline_parallel=[1],
    ),
    "label by memory": serving("llama-3.1-8b", "rtx-pro-6000-blackwell-server"),
    "embedding": serving("bge-m3", L4),
    "experts": serving(
        "qwen3-30b-a3b", H100, expert_parallel=[2], tensor_parallel=[2], pipeline_parallel=[1]
    ),
    "inventory": {
        "model": "llama-3.3-70b",
        "workload": SERVING,
        "inventory": POOL,
        "choices": {"quantizations": ["none"]},
    },
    "apple": serving("llama-3.1-8b", "apple-m4-max-128gb", {"engine": "llama.cpp"}),
    "lora": training("llama-3.1-8b", "l40s-48gb", method="lora"),
    "full": training("llama-3.1-8b", H100, regime="amp"),
    "full on nodes": training(
        "llama-3.1-70b",
        H100,
        activation_checkpointing="full",
        sharding="fsdp",
        sequence_tokens=8192,
    ),
    "zero": training("llama-3.1-8b", A100, **ZERO),
    "zero with offload": training(
        "llama-3.1-8b", "l40s-48gb", **{**ZERO, "sharding": "zero-2"}, offload="optimizer"
    ),
    "copies": training("llama-3.2-1b", A100, sharding="ddp"),
    "amd training": training("llama-3.1-8b", MI300X),
}
