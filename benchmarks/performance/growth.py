"""How the cost of a plan grows with cards in the catalog, layers of the model, and sequences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from benchmarks.performance.inside import serving_body
from benchmarks.performance.timing import Task, Times, taking_turns
from service.api.build import Catalogs
from service.api.plan_build import plan_request
from service.domain.planner import plan
from service.domain.requests import Stock

COPIES = (1, 4, 16)
LAYERS = (16, 64, 256)
SEQUENCES = (1, 16, 256)
CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
}
MIB_A_COPY = 64
"""Copies of a card differ in memory, so that each is a size of its own."""


def more_cards(stock: Stock, copies: int) -> Stock:
    """A catalog with so many of every card, each a little smaller than the last."""
    found = {
        f"{gpu.id}-{number}": replace(
            gpu,
            id=f"{gpu.id}-{number}",
            memory_planning_mib=gpu.memory_planning_mib - MIB_A_COPY * number,
        )
        for gpu in stock.gpus.values()
        for number in range(copies)
    }
    return replace(stock, gpus=found)


def planned(catalogs: Catalogs, stock: Stock, body: dict[str, Any], turn: int) -> object:
    """A plan; no two rounds ask for the same context."""
    workload = {**body["workload"], "context_tokens": body["workload"]["context_tokens"] - turn}
    return plan(plan_request(catalogs, {**body, "workload": workload}), stock)


def deep(layers: int) -> dict[str, Any]:
    """A model of so many alike layers."""
    model = {"config": {**CONFIG, "num_hidden_layers": layers}, "name": f"{layers} layers"}
    return {**serving_body("llama-3.1-8b", 4, 4096), "model": model}


def tasks(catalogs: Catalogs) -> Iterator[tuple[str, Task]]:
    """What is timed: one axis grows, the others stay."""
    stock = catalogs.stock
    for copies in COPIES:
        body, wide = serving_body("llama-3.1-8b", 16, 16384), more_cards(stock, copies)
        yield f"cards x {copies}", partial(planned, catalogs, wide, body)
    for layers in LAYERS:
        yield f"layers: {layers}", partial(planned, catalogs, stock, deep(layers))
    for held in SEQUENCES:
        body = serving_body("llama-3.1-8b", held, 4096)
        yield f"sequences: {held}", partial(planned, catalogs, stock, body)


def growth(catalogs: Catalogs, rounds: int) -> list[Times]:
    """Processor time along each axis."""
    return taking_turns(tasks(catalogs), rounds)
