"""The page: every model's card counts, and why they differ."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from benchmarks.comparison.questions import CARD, CONTEXT_TOKENS, MODELS, SEQUENCES
from benchmarks.comparison.rule import cards
from service.api.build import Catalogs
from service.app import read_catalogs
from service.catalog.models import entry_architecture
from service.domain.plan_results import Option
from service.domain.planner import plan
from service.domain.requests import Choices, PlanRequest, ServingWish
from service.domain.resolving import released
from service.domain.results import ModelFacts
from service.domain.search import DEFAULT_PIPELINE_PARALLEL
from service.domain.units import GIB

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PAGE, KEPT = ROOT / "docs" / "COMPARISON.md", HERE / "answers.json"
PEERS = ("llm-d-planner", "vramscout", "hf-vram-calc", "llm-sizer")
ALONE = (1,)


@cache
def catalogs() -> Catalogs:
    """The embedded data."""
    return read_catalogs(ROOT / "config", ROOT / "gpus.yaml")


def plain(value: Any) -> Any:
    """A config as JSON holds it."""
    if hasattr(value, "items"):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value


def configs() -> dict[str, Any]:
    """The published configs."""
    return {name: plain(catalogs().models.pick(name).config) for name in MODELS}


@cache
def planned(name: str, stages: tuple[int, ...] = DEFAULT_PIPELINE_PARALLEL) -> Option | None:
    """Our answer, of which the pipeline stages may be fixed."""
    shelves = catalogs()
    shape = entry_architecture(shelves.models.pick(name))
    own = released(shape, shelves.stock) or shelves.quantizations.pick("none")
    request = PlanRequest(
        model=ModelFacts(architecture=shape, source="catalog", name=name),
        precision=None,
        quantization=own,
        workload=ServingWish(
            engine=shelves.engines.pick("vllm"),
            context_tokens=CONTEXT_TOKENS,
            concurrency=SEQUENCES,
        ),
        choices=Choices(
            gpus=shelves.gpus.pick(CARD), pipeline_parallel=stages, tensor_parallel=(1, 2, 4, 8, 16)
        ),
    )
    return plan(request, shelves.stock).recommendation


def weight_bytes(name: str) -> int:
    """All weights as they are released, from our plan. [B]"""
    option = planned(name)
    terms = option.per_card.terms if option else ()
    held = next((term.amount.expected for term in terms if term.name == "weights"), 0)
    ranks = option.tensor_parallel * option.pipeline_parallel if option else 1
    return held * ranks


def weights_gib() -> dict[str, float]:
    """The same for those peers that would look them up."""
    return {name: weight_bytes(name) / GIB for name in MODELS}


def row(name: str, said: dict[str, int | None], reasons: dict[str, str]) -> str:
    """A model's counts and the reason."""
    ours, tensor_only = planned(name), planned(name, ALONE)
    (card,) = catalogs().gpus.pick(CARD)
    rule = cards(configs()[name], weight_bytes(name), card.memory_bytes)
    counts = (
        ours.cards if ours else None,
        tensor_only.cards if tensor_only else None,
        rule,
        *(said[peer] for peer in PEERS),
    )
    cells = " | ".join(str(count) if count else "-" for count in counts)
    return f"| {name} | {cells} | {reasons.get(name, '')} |"


def page() -> str:
    """The whole page."""
    said = json.loads(KEPT.read_text(encoding="utf-8"))
    words = yaml.safe_load((HERE / "reasons.yaml").read_text(encoding="utf-8"))
    heads = ("model", "ours", "ours, tensor only", "vLLM's rule", *PEERS, "why")
    table = [
        "| " + " | ".join(heads) + " |",
        "|---|" + "---:|" * (len(heads) - 2) + "---|",
        *(row(name, said[name], words["models"]) for name in MODELS),
    ]
    return "\n".join([words["head"].rstrip(), "", *table, "", words["tail"].rstrip(), ""])
