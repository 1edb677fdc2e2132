"""Catalog entries as plain data, with their sources."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from service.domain.architecture import Architecture, Tower
from service.domain.engine import Engine
from service.domain.footprint import Footprint
from service.domain.hardware import Gpu
from service.domain.optimizer import Optimizer
from service.domain.precision import Quantization, Rule
from service.domain.results import ModelFacts
from service.domain.sums import cache_rows, cached_elements_per_token, state_bytes
from service.domain.tensors import elements
from service.domain.units import bytes_of_bits

SIXTEEN_BITS = 16


def known(value: Any) -> Any:
    """Data without what is unknown; money as numbers."""
    if isinstance(value, dict):
        return {key: known(item) for key, item in value.items() if item not in (None, (), {}, "")}
    if isinstance(value, list | tuple):
        return [known(item) for item in value]
    return float(value) if isinstance(value, Decimal) else value


def gpu_view(gpu: Gpu) -> dict[str, Any]:
    """A card."""
    view: dict[str, Any] = known(asdict(gpu))
    for shown, price in zip(view.get("prices", ()), gpu.prices, strict=True):
        shown["date"] = price.date
    return {**view, "memory_bytes": gpu.memory_bytes, "planning_bytes": gpu.planning_bytes}


def tower_view(tower: Tower) -> dict[str, Any]:
    """An encoder beside the decoder."""
    return {
        "name": tower.name,
        "modality": tower.modality,
        "parameters": elements(tower.tensors()),
        "layers": len(tower.layer_order),
        "tokens_per_item": tower.item_tokens or None,
    }


def model_view(model: Architecture) -> dict[str, Any]:
    """A model's counts, its bill by kind and what its cache costs."""
    by_kind: dict[str, int] = {}
    for tensor in model.tensors():
        by_kind[tensor.kind] = by_kind.get(tensor.kind, 0) + tensor.elements
    return {
        "name": model.name,
        "architecture": model.family,
        "parameters": model.parameters,
        "active_parameters": model.active_parameters,
        "embedding_parameters": model.embedding_parameters,
        "head_parameters": model.head_parameters,
        "checkpoint_parameters": model.checkpoint_parameters,
        "layers": model.layer_count,
        "hidden_size": model.hidden_size,
        "vocabulary_size": model.vocabulary_size,
        "context_limit": model.context_limit,
        "precision": model.declared_precision,
        "quantization": declared.id if (declared := model.declared_quantization) else None,
        "parameters_by_kind": by_kind,
        "kv_bytes_per_token": bytes_of_bits(cached_elements_per_token(model) * SIXTEEN_BITS),
        "kv_bytes_per_token_beyond_window": bytes_of_bits(
            cached_elements_per_token(model, beyond_windows=True) * SIXTEEN_BITS
        ),
        "sliding_window_tokens": max(
            (row.window_tokens for row, _ in cache_rows(model, 1)), default=0
        ),
        "state_bytes_per_sequence": state_bytes(model),
        "kv_bytes_per_encoder_token": bytes_of_bits(
            cached_elements_per_token(model, "encoder") * SIXTEEN_BITS
        ),
        "output": model.output,
        "encoders": [tower_view(tower) for tower in model.towers],
        "notes": list(model.notes),
    }


def footprint_view(model: ModelFacts, rows: Iterable[Footprint]) -> dict[str, Any]:
    """The table that Accelerate's calculator prints, from exact counts."""
    return {
        "model": {"name": model.name, "parameters": model.architecture.parameters},
        "footprints": [asdict(row) for row in rows],
    }


def rule_view(rule: Rule) -> dict[str, Any]:
    """One rule of a quantization: the first that holds for a tensor decides its format."""
    return {
        "kinds": sorted(rule.kinds),
        "names": [*rule.names, *sorted(rule.exact)],
        "layers": rule.pattern or (sorted(rule.layers) if rule.layers is not None else None),
        "when": sorted(rule.when),
        "format": rule.format.id if rule.format else None,
    }


def quantization_view(entry: Quantization) -> dict[str, Any]:
    """A quantization."""
    return {
        "id": entry.id,
        "name": entry.name,
        "aliases": list(entry.aliases),
        "kernel": entry.kernel,
        "quality": {"rank": entry.quality_rank, "loss": entry.quality_loss},
        "group": entry.group,
        "rules": [rule_view(rule) for rule in entry.rules],
        "notes": entry.notes,
        "sources": list(entry.sources),
    }


def engine_view(entry: Engine) -> dict[str, Any]:
    """An engine with its profiles and what it runs."""
    return {
        "id": entry.id,
        "name": entry.name,
        "policy": entry.policy,
        "hardware": dict(entry.hardware),
        "runs": {k: {h: asdict(s) for h, s in row.items()} for k, row in entry.runs.items()},
        "kv_caches": {k: {h: asdict(s) for h, s in r.items()} for k, r in entry.caches.items()},
        "profiles": [asdict(profile) for profile in entry.profiles],
        "sources": list(entry.sources),
        "notes": list(entry.notes),
    }


def optimizer_view(entry: Optimizer) -> dict[str, Any]:
    """An optimizer."""
    return asdict(entry)
