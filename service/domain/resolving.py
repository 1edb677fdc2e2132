"""From what a caller said to a question with nothing left open; every filled gap is noted."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.architecture import Architecture
from service.domain.budgets import POLICIES
from service.domain.engine import CachePrecision
from service.domain.errors import InvalidRequest
from service.domain.precision import Precision, Quantization, as_released
from service.domain.profiles import BatchDefaults, Profile
from service.domain.questions import Draft, Serving, Split
from service.domain.requests import ServingWish, Stock
from service.domain.results import Note
from service.domain.serving_terms import default_share
from service.domain.units import GIB, ceil_div

DEFAULT_CONTEXT_TOKENS = 8192
DEFAULT_PRECISION = "bfloat16"
NO_QUANTIZATION = "none"
SIXTEEN_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class CardFacts:
    """What defaults depend on: the card's total and its name."""

    memory_bytes: int | None
    name: str = ""


class Notes:
    """Collects assumptions while gaps are filled."""

    def __init__(self) -> None:
        self.found: list[Note] = []

    def default(self, field: str, value: float | str | bool, reason: str) -> None:
        """Record one filled gap."""
        self.found.append(Note(field=field, value=value, reason=reason))


def resolved_precision(
    model: Architecture, wanted: Precision | None, stock: Stock, notes: Notes
) -> Precision:
    """The caller's precision, else what the config declares, else bfloat16."""
    if wanted is not None:
        return wanted
    declared = model.declared_precision
    if declared is not None and declared in stock.precisions:
        notes.default("precision", declared, "declared by the model's config")
        return stock.precisions[declared]
    notes.default("precision", DEFAULT_PRECISION, "default where the config declares none")
    return stock.precisions[DEFAULT_PRECISION]


def released(model: Architecture, stock: Stock) -> Quantization | None:
    """The quantization that the checkpoint declares."""
    declared = model.declared_quantization
    return None if declared is None else as_released(declared, stock.quantizations[declared.base])


def meant(wanted: Quantization, model: Architecture, stock: Stock) -> Quantization:
    """What a name means for a model: the checkpoint's own format where it is already in it.

    So `mxfp4` for gpt-oss is what its files hold, with what they leave in 16 bits.
    Raises: InvalidRequest where a file was given that is stored otherwise.
    """
    declared, own = model.declared_quantization, released(model, stock)
    if declared is not None and own is not None and wanted.id in declared.stands_for:
        return own
    if model.stored is not None and own is not None:
        raise InvalidRequest(
            "quantization",
            f"the file is stored as {own.id}; give the model's config instead of the file to "
            f"compare it with {wanted.id}",
        )
    return wanted


def resolved_quantization(
    model: Architecture,
    wanted: Quantization | None,
    precision: Precision | None,
    stock: Stock,
    notes: Notes,
) -> Quantization:
    """The caller's quantization, else the checkpoint's, else none.

    A caller who names a precision asks for plain values, so the checkpoint's quantization is not
    applied on top of it.
    """
    own = released(model, stock)
    if wanted is not None:
        return meant(wanted, model, stock)
    if own is not None and (precision is None or model.stored is not None):
        said = "read from the file" if model.stored else "declared by the checkpoint"
        notes.default("quantization", own.id, said)
        return own
    notes.default("quantization", NO_QUANTIZATION, "default")
    return stock.quantizations[NO_QUANTIZATION]


def resolved_context(model: Architecture, wish: ServingWish, notes: Notes) -> int:
    """The caller's context, refused beyond the model's limit; default min(limit, 8192)."""
    limit = model.context_limit
    if wish.context_tokens is None:
        value = min(limit or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)
        notes.default("workload.context_tokens", value, "min(the model's limit, 8192)")
        return value
    refuse_beyond_limit(
        limit,
        wish.context_tokens,
        wish.allow_context_beyond_limit or wish.engine.profile(wish.engine_version).long_contexts,
        "context_tokens",
    )
    return wish.context_tokens


def refuse_beyond_limit(limit: int | None, tokens: int, allowed: bool, field: str) -> None:
    """Refuse more tokens than the model's positions reach, unless the caller allows it."""
    if limit is not None and tokens > limit and not allowed:
        raise InvalidRequest(
            f"workload.{field}",
            f"{tokens} is beyond the model's limit of {limit} tokens; ask for at most {limit} or "
            'set "allow_context_beyond_limit": true',
        )


def default_cache(precision: Precision, stock: Stock) -> CachePrecision:
    """The rule of `auto`: the type of the model, 16 bit where the model's type is narrower."""
    named = {"float32": "fp32", "float16": "fp16"}.get(precision.id, "bf16")
    return stock.caches.get(named, stock.caches["bf16"])


def batch_defaults(profile: Profile, card: CardFacts) -> BatchDefaults:
    """The first entry whose card size fits; cards of unknown size get the last."""
    for entry in profile.batch_defaults:
        known = card.memory_bytes is not None
        large = known and (card.memory_bytes or 0) >= entry.min_card_gib * GIB
        name = card.name.lower()
        excepted = any(word in name for word in entry.except_products)
        named = not entry.products or any(word in name for word in entry.products)
        if (large or entry.min_card_gib == 0) and named and not excepted:
            return entry
    return profile.batch_defaults[-1]


def resolved_batch(
    wish: ServingWish, entry: BatchDefaults, held: int, context: int, notes: Notes
) -> tuple[int, int]:
    """Sequences and tokens of the largest step, raised to the `held` sequences of a replica."""
    sequences, tokens = wish.max_sequences, wish.max_batched_tokens
    if sequences is None:
        sequences = max(entry.max_sequences, held)
        raised = ", raised to the concurrency" if held > entry.max_sequences else ""
        notes.default("workload.max_sequences", sequences, f"engine default for this card{raised}")
    elif sequences < held:
        raise InvalidRequest(
            "workload.max_sequences",
            f"{sequences} sequences cannot hold the {held} of workload.concurrency on one replica",
        )
    if tokens is None:
        tokens = max(entry.step_tokens(context), held)
        notes.default("workload.max_batched_tokens", tokens, "engine default for this card")
    return min(sequences, tokens), tokens


def resolved_cache(
    wish: ServingWish, precision: Precision, stock: Stock, notes: Notes
) -> CachePrecision:
    """The caller's type of cache, else the engine's `auto` rule."""
    if wish.cache is not None:
        return wish.cache
    cache = default_cache(precision, stock)
    notes.default("workload.kv_cache_precision", cache.id, "auto: the type of the model")
    return cache


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What stays the same while cards vary: the model and how it is stored and split."""

    model: Architecture
    precision: Precision
    quantization: Quantization
    split: Split
    card: CardFacts


DRAFTED_TOKENS = 3
SHARED_WITH_THE_MODEL = frozenset({"embedding", "lm_head"})


def resolved_draft(frame: Frame, wish: ServingWish, stock: Stock, notes: Notes) -> Draft | None:
    """What drafts: the model's own prediction layers, or another model, as they are released.

    Raises: InvalidRequest where the model has no prediction layers.
    """
    if wish.draft is None:
        return None
    notes.default(
        "workload.draft_model",
        f"{DRAFTED_TOKENS} tokens a step",
        "how many are drafted is not stated; published recipes use 2 to 4",
    )
    if wish.draft != "mtp":
        other = wish.draft.architecture
        return Draft(
            name=wish.draft.name,
            tensors=other.tensors(),
            layer_kinds=other.layer_kinds,
            layer_order=other.layer_order,
            quantization=released(other, stock) or stock.quantizations[NO_QUANTIZATION],
            precision=resolved_precision(other, None, stock, Notes()),
            tokens=DRAFTED_TOKENS,
        )
    model = frame.model
    if not model.prediction:
        raise InvalidRequest(
            "workload.draft_model",
            f"{model.name} has no layers that predict further tokens; name a draft model instead",
        )
    layers = tuple(tensor for kind in model.prediction for tensor in kind.tensors())
    others = tuple(t for t in model.prediction_others if t.kind not in SHARED_WITH_THE_MODEL)
    return Draft(
        name="mtp",
        tensors=(*layers, *others),
        layer_kinds=model.prediction,
        layer_order=tuple(range(len(model.prediction))),
        quantization=released(model, stock) or stock.quantizations[NO_QUANTIZATION],
        precision=frame.precision,
        tokens=DRAFTED_TOKENS,
    )


def resolved_flash(wish: ServingWish, profile: Profile) -> bool:
    """Whether attention is a flash kernel; refused where an engine has no other path."""
    if wish.flash_attention is None:
        return True
    if not wish.flash_attention and not profile.flash_choice:
        raise InvalidRequest(
            "workload.flash_attention",
            f"{wish.engine.name} is modelled with flash attention only; leave it out or say true",
        )
    return wish.flash_attention


def resolved_share(frame: Frame, wish: ServingWish, step_tokens: int, notes: Notes) -> float:
    """The share of a card that the engine takes: the caller's, else this version's."""
    if wish.memory_utilization is not None:
        return wish.memory_utilization
    profile = wish.engine.profile(wish.engine_version)
    share = default_share(wish.engine, profile, frame.card.memory_bytes, step_tokens, frame.split)
    if POLICIES[wish.engine.policy].takes_share:
        notes.default("workload.memory_utilization", share, "engine default")
    return share


def resolved_serving(frame: Frame, wish: ServingWish, stock: Stock, notes: Notes) -> Serving:
    """A serving question with every default of this engine version and card filled in."""
    profile = wish.engine.profile(wish.engine_version)
    if wish.engine_version is None:
        notes.default(
            "workload.engine_version", profile.since, "newest profile known, from this version"
        )
    concurrency = wish.concurrency
    if concurrency is None:
        concurrency = 1
        notes.default("workload.concurrency", concurrency, "default")
    context = resolved_context(frame.model, wish, notes)
    held = ceil_div(concurrency, frame.split.data)
    entry = batch_defaults(profile, frame.card)
    sequences, tokens = resolved_batch(wish, entry, held, context, notes)
    return Serving(
        model=frame.model,
        precision=frame.precision,
        quantization=frame.quantization,
        split=frame.split,
        engine=wish.engine,
        profile=profile,
        context_tokens=context,
        sequences=held,
        cache=resolved_cache(wish, frame.precision, stock, notes),
        max_sequences=max(sequences, 1),
        max_batched_tokens=tokens,
        memory_utilization=resolved_share(frame, wish, tokens, notes),
        cuda_graphs=wish.cuda_graphs is not False,
        flash_attention=resolved_flash(wish, profile),
        adapters=wish.adapters,
        large_links=entry.large_links,
        kernels=entry.kernels,
        draft=resolved_draft(frame, wish, stock, notes),
        overrides=wish.overrides,
    )
