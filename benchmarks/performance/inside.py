"""In process: estimates and plans over the whole catalog, for models of every kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from benchmarks.performance.timing import Task, Times, taking_turns, unit
from service.api.build import Catalogs, estimate_request
from service.api.plan_build import plan_request
from service.domain.estimate import estimate
from service.domain.planner import plan

MODELS = (
    ("dense", "llama-3.1-8b", 1, 8192),
    ("dense, large", "llama-3.3-70b", 16, 32768),
    ("mixture of experts", "qwen3-30b-a3b", 32, 32768),
    ("latent attention", "deepseek-v3.1", 100, 32768),
    ("hybrid", "qwen3-next-80b-a3b-instruct", 32, 32768),
)
"""Kind, model, sequences at once and tokens of each."""

TRAINED = (("dense", "llama-3.1-8b"), ("mixture of experts", "qwen3-30b-a3b"))
Asked = Callable[[int], dict[str, Any]]
TRAINED_TOKENS = 4096
STEP_TOKENS = 16
"""Further tokens of context a round: no round asks what another has asked."""

UNIT = "unit: 100,000 additions"


def serving_body(model: str, sequences: int, context: int) -> dict[str, Any]:
    """A question about serving."""
    workload = {"kind": "inference", "context_tokens": context, "concurrency": sequences}
    return {"model": {"id": model}, "workload": workload}


def training_body(model: str, tokens: int) -> dict[str, Any]:
    """A question about training."""
    workload = {"kind": "training", "micro_batch_size": 1, "sequence_tokens": tokens}
    return {"model": {"id": model}, "workload": workload}


def estimated(catalogs: Catalogs, asked: Asked, turn: int) -> object:
    """An estimate of a question on one card."""
    body = {**asked(turn), "placement": {"gpu": "h200-sxm5-141gb", "cards": 1}}
    return estimate(estimate_request(catalogs, body), catalogs.stock)


def planned(catalogs: Catalogs, asked: Asked, turn: int) -> object:
    """A plan for a question over all cards."""
    return plan(plan_request(catalogs, asked(turn)), catalogs.stock)


def served(model: str, sequences: int, context: int, turn: int) -> dict[str, Any]:
    """The question about serving of one round."""
    return serving_body(model, sequences, context - STEP_TOKENS * turn)


def trained(model: str, turn: int) -> dict[str, Any]:
    """The question about training of one round."""
    return training_body(model, TRAINED_TOKENS - STEP_TOKENS * turn)


def tasks(catalogs: Catalogs) -> Iterator[tuple[str, Task]]:
    """What is timed, by name."""
    yield UNIT, unit
    for kind, model, sequences, context in MODELS:
        asked = partial(served, model, sequences, context)
        yield f"estimate, {kind}", partial(estimated, catalogs, asked)
        yield f"plan, {kind}", partial(planned, catalogs, asked)
    for kind, model in TRAINED:
        asked = partial(trained, model)
        yield f"training estimate, {kind}", partial(estimated, catalogs, asked)
        yield f"training plan, {kind}", partial(planned, catalogs, asked)


def inside(catalogs: Catalogs, rounds: int) -> list[Times]:
    """Processor time of every task."""
    return taking_turns(tasks(catalogs), rounds)
