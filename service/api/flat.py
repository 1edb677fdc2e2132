"""Flat query parameters: named as the last part of the field, turned into the same body."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

SIZE = re.compile(r"(\d{1,12})([kKmM]?)", re.ASCII)
THOUSANDS = {"": 1, "k": 1024, "m": 1024 * 1024}
NUMBER = re.compile(r"-?\d{1,15}(\.\d{1,9})?", re.ASCII)
MAX_VALUE = 2000

ALIASES: Mapping[str, str] = {
    "ctx": "context_tokens",
    "users": "concurrency",
    "q": "quantization",
    "quant": "quantization",
    "kv": "kv_cache_precision",
    "tp": "tensor_parallel",
    "pp": "pipeline_parallel",
    "dp": "data_parallel",
    "ep": "expert_parallel",
    "util": "memory_utilization",
    "seq": "sequence_tokens",
    "batch": "micro_batch_size",
    "accum": "gradient_accumulation",
    "ckpt": "activation_checkpointing",
    "optim": "optimizer",
    "mem": "memory_gib",
}


def whole(text: str) -> Any:
    """A whole number; 32k and 1M count in 1,024s."""
    match = SIZE.fullmatch(text)
    return int(match.group(1)) * THOUSANDS[match.group(2).lower()] if match else text


def number(text: str) -> Any:
    """A decimal number with a point."""
    return float(text) if NUMBER.fullmatch(text) else text


def flag(text: str) -> Any:
    """True or false."""
    return {"true": True, "false": False}.get(text.lower(), text)


def word(text: str) -> Any:
    """Text as it is."""
    return text


def listed(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """Several values separated by commas."""
    return lambda text: [read(part.strip()) for part in text.split(",")]


Reader = Callable[[str], Any]
Place = tuple[tuple[str, ...], Reader]

WORKLOAD: Mapping[str, Reader] = {
    "kind": word, "engine": word, "engine_version": word, "context_tokens": whole,
    "concurrency": whole, "kv_cache_precision": word, "max_sequences": whole,
    "max_batched_tokens": whole, "memory_utilization": number, "cuda_graphs": flag,
    "flash_attention": flag, "allow_context_beyond_limit": flag, "method": word,
    "framework": word, "framework_version": word, "regime": word, "optimizer": word,
    "micro_batch_size": whole, "sequence_tokens": whole, "gradient_accumulation": whole,
    "activation_checkpointing": word, "attention": word, "loss": word, "padding_free": flag,
    "compile": flag, "sharding": word, "offload": word,
}  # fmt: skip
COMMON: Mapping[str, Place] = {
    "model": (("model",), word),
    "parameters": (("model", "parameters"), word),
    "precision": (("precision",), word),
    "quantization": (("quantization",), word),
    "keep": (("keep",), listed(word)),
    "risk": (("risk",), word),
    "catalog_version": (("catalog_version",), word),
    "rank": (("workload", "lora", "rank"), whole),
    "targets": (("workload", "lora", "targets"), word),
    **{name: (("workload", name), read) for name, read in WORKLOAD.items()},
}
DEGREES = ("tensor_parallel", "pipeline_parallel", "expert_parallel")
ESTIMATE_PLACES: Mapping[str, Place] = {
    **COMMON,
    "gpu": (("placement", "gpu"), word),
    "memory_gib": (("placement", "memory_gib"), number),
    **{name: (("placement", name), whole) for name in (*DEGREES, "cards", "data_parallel")},
}
PLAN_PLACES: Mapping[str, Place] = {
    **COMMON,
    "gpu": (("choices", "gpus"), listed(word)),
    "vendor": (("choices", "gpus", "vendor"), word),
    "quantizations": (("choices", "quantizations"), listed(word)),
    "kv_cache_precisions": (("choices", "kv_cache_precisions"), listed(word)),
    **{name: (("choices", name), listed(whole)) for name in DEGREES},
    **{
        name: (("limits", name), whole) for name in ("max_cards", "max_cards_per_node", "max_nodes")
    },
    "max_quality_loss": (("limits", "max_quality_loss"), word),
    "min_headroom": (("limits", "min_headroom"), number),
    "max_hourly_usd": (("limits", "max_hourly_usd"), number),
    "max_power_watts": (("limits", "max_power_watts"), number),
    "objective": (("objective",), word),
    "limit": (("limit",), whole),
    "explain": (("explain",), flag),
}


def flat_body(
    query: MultiDict[str, str],
    places: Mapping[str, Place],
    aliases: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The body that a query string stands for.

    Raises: ValidationError for unknown, repeated, empty or overlong parameters.
    """
    body: dict[str, Any] = {}
    seen: set[str] = set()
    for given, values in query.lists():
        name = aliases.get(given, given)
        if name not in places:
            raise ValidationError({given[:100]: [unknown(given, [*places, *aliases])]})
        if len(values) > 1 or name in seen:
            raise ValidationError({given: ["Given more than once; separate lists by commas."]})
        if not values[0] or len(values[0]) > MAX_VALUE or "\0" in values[0]:
            raise ValidationError({given: [f"Must have 1 to {MAX_VALUE} characters."]})
        seen.add(name)
        path, read = places[name]
        _put(body, path, read(values[0]), name)
    return body


def _policy(keep: list[str], base: Any) -> dict[str, Any]:
    if base is None:
        raise ValidationError({"keep": ["Give quantization too: keep says what of it stays."]})
    return {"base": base, "keep": keep}


def question_body(query: MultiDict[str, str], places: Mapping[str, Place]) -> dict[str, Any]:
    """The body of an estimate or a plan; `kind` is inference where it is not given."""
    body = flat_body(query, places, ALIASES)
    if "keep" in body:
        body["quantization"] = _policy(body.pop("keep"), body.get("quantization"))
    return {**body, "workload": {"kind": "inference", **body.get("workload", {})}}


def unknown(given: str, known: list[str]) -> str:
    """What to say of a parameter that does not exist."""
    near = get_close_matches(given[:100], known, n=1)
    if near:
        return f"Unknown parameter. Did you mean {near[0]}?"
    return f"Unknown parameter. Known: {', '.join(known)}." if known else "Takes no parameters."


def _put(body: dict[str, Any], path: tuple[str, ...], value: Any, name: str) -> None:
    place = body
    for step in path[:-1]:
        inner = place.setdefault(step, {})
        if not isinstance(inner, dict):
            raise ValidationError({path[-1]: [f"Contradicts {step}."]})
        place = inner
    if isinstance(place.get(path[-1]), dict):
        other = next(iter(place[path[-1]]))
        raise ValidationError({name: [f"Give {name} or {other}, not both."]})
    place[path[-1]] = value
