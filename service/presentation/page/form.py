"""The form's controls: what may be chosen, and what is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from service.domain.hardware import Gpu
from service.domain.requests import Stock
from service.presentation.page.copies import query
from service.presentation.page.grids import card_name

Options = tuple[tuple[str, str], ...]
COMMON_CARDS = (
    "h100-sxm5-80gb",
    "h200-sxm5-141gb",
    "b200-180gb",
    "a100-sxm4-80gb",
    "l40s-48gb",
    "l4-24gb",
    "rtx-4090-24gb",
    "mi300x-192gb",
)
EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "inference": {
        "model": "llama-3.3-70b",
        "kind": "inference",
        "context_tokens": "32768",
        "concurrency": "16",
    },
    "training": {
        "model": "llama-3.1-8b",
        "kind": "training",
        "method": "full",
        "micro_batch_size": "1",
        "sequence_tokens": "4096",
    },
}
SHARED = ("model", "parameters", "config", "gpu", "max_cards", "objective", "risk")
BOTH = (*SHARED, "kind", "precision", "quantization")
CONTROLS: Mapping[str, tuple[str, ...]] = {
    "inference": (
        "engine", "context_tokens", "concurrency", "max_quality_loss", "kv_cache_precision",
    ),
    "training": (
        "method", "framework", "optimizer", "micro_batch_size", "sequence_tokens",
        "gradient_accumulation", "activation_checkpointing", "sharding", "offload", "rank",
    ),
}  # fmt: skip
WORDS: Mapping[str, Options] = {
    "objective": (
        ("", "fewest cards"),
        ("lowest-cost", "lowest cost"),
        ("lowest-power", "lowest power"),
        ("highest-quality", "highest quality"),
        ("least-memory", "least memory"),
    ),
    "risk": (("", "nine readings in ten"), ("expected", "the expected value")),
    "max_quality_loss": (
        ("", "low (the default)"),
        ("none", "none: as released"),
        ("minimal", "minimal: 8-bit"),
        ("medium", "medium"),
        ("high", "high: 2-bit"),
    ),
    "method": (("full", "all weights"), ("lora", "LoRA"), ("qlora", "QLoRA")),
    "activation_checkpointing": (
        ("", "none, or full where it saves cards"),
        ("none", "none"),
        ("selective", "selective"),
        ("full", "full"),
    ),
    "sharding": (
        ("", "as the number of cards asks"),
        ("none", "none"),
        ("ddp", "DDP"),
        ("zero-1", "ZeRO 1"),
        ("zero-2", "ZeRO 2"),
        ("zero-3", "ZeRO 3"),
        ("fsdp", "FSDP"),
        ("fsdp-no-reshard", "FSDP, not resharded"),
    ),
    "offload": (("", "none (the default)"), ("optimizer", "optimizer"), ("all", "all")),
}
CONSUMER = "PCIe consumer"
NEVER_RELEASED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CardBox:
    """A card to tick."""

    id: str
    name: str
    memory: str
    ticked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The form as it stands.

    kept    parameters without a control, which a submitted form has to carry on
    others  cards without a box: slices, aliases and groups
    """

    kind: str
    values: Mapping[str, str]
    lists: Mapping[str, Options]
    chosen: tuple[CardBox, ...]
    groups: tuple[tuple[str, tuple[CardBox, ...]], ...]
    others: str
    kept: Options
    serve_query: str
    train_query: str
    line: str
    read: str
    assumed: Mapping[str, str]


def example(kind: str, stock: Stock) -> dict[str, str]:
    """The question that an empty page shows."""
    cards = ",".join(card for card in COMMON_CARDS if card in stock.gpus)
    return {**EXAMPLES[kind], **({"gpu": cards} if cards else {})}


def other_tab(kind: str, flat: Mapping[str, str]) -> str:
    """The other tab's question: the same model and cards, the rest as its example has it."""
    same = {name: value for name, value in flat.items() if name in SHARED}
    if not {"model", "parameters", "config"} & set(same):
        return query({"kind": kind})
    rest = {name: value for name, value in EXAMPLES[kind].items() if name != "model"}
    return query({**same, **rest})


def box(gpu: Gpu, ticked: bool) -> CardBox:
    """One card."""
    return CardBox(id=gpu.id, name=card_name(gpu), memory=f"{gpu.memory_label_gb:g}", ticked=ticked)


def group_of(gpu: Gpu) -> str:
    """Under which heading a card stands."""
    if gpu.vendor == "NVIDIA":
        return "NVIDIA, consumer" if gpu.form_factor == CONSUMER else "NVIDIA"
    return gpu.vendor if gpu.vendor in {"AMD", "Apple", "Intel"} else "Others"


def card_groups(stock: Stock, ticked: set[str]) -> Iterator[tuple[str, tuple[CardBox, ...]]]:
    """Whole cards that are not ticked by heading, newest first."""
    groups: dict[str, list[Gpu]] = {}
    for gpu in stock.gpus.values():
        if not gpu.is_mig and gpu.id not in ticked:
            groups.setdefault(group_of(gpu), []).append(gpu)
    for name, gpus in groups.items():
        newest = sorted(gpus, key=lambda gpu: -(gpu.release_year or NEVER_RELEASED))
        yield name, tuple(box(gpu, ticked=False) for gpu in newest)


def named(entries: Iterable[tuple[str, str]], first: str) -> Options:
    """A list of choices with what happens where none is made."""
    return (("", first), *entries)


def option_lists(stock: Stock) -> Mapping[str, Options]:
    """What every list of the form offers."""
    formats = sorted(stock.quantizations.values(), key=lambda entry: entry.quality_rank)
    return {
        **WORDS,
        "engine": tuple((one.id, one.name) for one in stock.engines.values()),
        "precision": named(((name, name) for name in stock.precisions), "as the config says"),
        "quantization": named(
            ((one.id, f"{one.id}: {one.name}") for one in formats), "any that keeps the quality"
        ),
        "kv_cache_precision": named(((name, name) for name in stock.caches), "the engine's rule"),
        "framework": tuple((one.id, one.name) for one in stock.frameworks.values()),
        "optimizer": tuple((one.id, one.name) for one in stock.optimizers.values()),
    }


DEFAULTS: Mapping[str, str] = {
    "engine": "vllm",
    "framework": "transformers",
    "optimizer": "adamw",
    "method": "full",
}


class Asked(Protocol):
    """A question as the form needs it."""

    @property
    def flat(self) -> Mapping[str, str]:
        """Its parameters."""
        ...

    @property
    def line(self) -> str:
        """The line that it was read from."""
        ...

    @property
    def read(self) -> str:
        """How the line was understood."""
        ...


def form(state: Asked, stock: Stock, assumed: Mapping[str, str]) -> Form:
    """The form for a question; `assumed` stands in fields that are left empty."""
    flat = state.flat
    kind = "training" if flat.get("kind") == "training" else "inference"
    cards = [name for name in flat.get("gpu", "").split(",") if name]
    boxed = [name for name in cards if name in stock.gpus and not stock.gpus[name].is_mig]
    controls = {*BOTH, *CONTROLS[kind]}
    return Form(
        kind=kind,
        values={**DEFAULTS, **flat},
        lists=option_lists(stock),
        chosen=tuple(box(stock.gpus[name], ticked=True) for name in dict.fromkeys(boxed)),
        groups=tuple(card_groups(stock, set(boxed))),
        others=",".join(name for name in cards if name not in boxed),
        kept=tuple((name, value) for name, value in flat.items() if name not in controls),
        serve_query=query(flat) if kind == "inference" else other_tab("inference", flat),
        train_query=query(flat) if kind == "training" else other_tab("training", flat),
        line=state.line,
        read=state.read,
        assumed=assumed,
    )
