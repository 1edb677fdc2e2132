"""Single changes that need fewer cards or make anything fit, and how the count grows with load."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from service.domain.candidates import QUALITY_RANKS, CardClass, Format, useful_quantizations
from service.domain.plan_results import Advice, Growth, Sensitivity
from service.domain.requests import Risk, ServingWish
from service.domain.rules import cache_support, kernel_support
from service.domain.search import Arrangement, Fit, Search

GROWTH = (1, 2, 4)
NARROW_CACHE = "fp8"
HALF_STEP_TOKENS = 512
NEXT_RANKS = 2
"""How far beyond the recommended loss of quality a change may go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of a request: what it is, what it costs, and the question after it."""

    change: str
    costs: str
    search: Search
    form: Format


def changed(search: Search, *, wish: ServingWish | None = None, risk: Risk | None = None) -> Search:
    """The same search for another workload or another bound."""
    request = replace(search.request, risk=risk) if risk else search.request
    new = wish or search.wish
    return replace(search, request=request, wish=new)


def shorter(search: Search, base: Fit) -> Iterator[Change]:
    """Half the context."""
    tokens = search.wish.context_tokens or 1
    if tokens > 1:
        wish = replace(search.wish, context_tokens=tokens // 2)
        yield Change(
            change=f"context_tokens={tokens // 2}",
            costs="sequences of half the length",
            search=changed(search, wish=wish),
            form=base.format,
        )


def fewer_users(search: Search, base: Fit) -> Iterator[Change]:
    """Half the sequences at once."""
    held = search.wish.concurrency or 1
    if held > 1:
        wish = replace(search.wish, concurrency=held // 2)
        yield Change(
            change=f"concurrency={held // 2}",
            costs="half the sequences at once; the others wait",
            search=changed(search, wish=wish),
            form=base.format,
        )


def narrower_cache(search: Search, base: Fit) -> Iterator[Change]:
    """A cache of eight bits."""
    cache, gpu = search.stock.caches[NARROW_CACHE], base.cards.pools[0].gpu
    runs = cache_support(search.wish.engine, gpu, cache).path is not None
    if runs and base.format.cache.bits > cache.bits:
        yield Change(
            change=f"kv_cache_precision={NARROW_CACHE}",
            costs="a small loss of quality on long contexts",
            search=search,
            form=replace(base.format, cache=cache),
        )


def other_quantizations(search: Search, base: Fit) -> Iterator[Change]:
    """Formats up to two ranks beyond the recommended one that the request leaves out."""
    model, gpu = search.request.model.architecture, base.cards.pools[0].gpu
    worst = min(base.format.quality_rank + NEXT_RANKS, max(QUALITY_RANKS.values()))
    known = {form.quantization.id for form in base.cards.formats}
    every = useful_quantizations(model, tuple(search.stock.quantizations.values()), worst)
    for entry in every:
        runs = kernel_support(search.wish.engine, gpu, entry).path is not None
        if runs and entry.id not in known:
            form = replace(base.format, quantization=entry, quality_rank=entry.quality_rank)
            yield Change(
                change=f"quantization={entry.id}",
                costs=f"loss of quality: {entry.quality_loss}",
                search=changed(search),
                form=form,
            )


def smaller_steps(search: Search, base: Fit) -> Iterator[Change]:
    """A smaller step of prefill, which shrinks activations."""
    wished = search.wish.max_batched_tokens
    if wished is None or wished > HALF_STEP_TOKENS:
        wish = replace(search.wish, max_batched_tokens=HALF_STEP_TOKENS, max_sequences=None)
        yield Change(
            change=f"max_batched_tokens={HALF_STEP_TOKENS}",
            costs="prompts are read in smaller steps: first tokens come later",
            search=changed(search, wish=wish),
            form=base.format,
        )


def bolder(search: Search, base: Fit) -> Iterator[Change]:
    """The expected bound instead of the high one."""
    if search.request.risk == "high":
        yield Change(
            change="risk=expected",
            costs="about one run in two may need more than is planned",
            search=changed(search, risk="expected"),
            form=base.format,
        )


CHANGES: tuple[Callable[[Search, Fit], Iterator[Change]], ...] = (
    narrower_cache,
    other_quantizations,
    smaller_steps,
    shorter,
    fewer_users,
    bolder,
)
"""Cheapest first: what the caller loses least by comes before what it loses more by."""


def cards_after(change: Change, cards: CardClass, most: int | None = None) -> int | None:
    """Fewest cards of a class after a change, up to `most`; None where none does."""
    found = change.search.fewest(cards, change.form, most)
    return found.split.cards if found else None


def advice(search: Search, best: Arrangement) -> tuple[Advice, ...]:
    """Single changes with which fewer of the recommended cards would do, and what each costs."""
    base = best.fit
    if base.split.cards == 1:
        return ()
    return tuple(fewer(search, base))


def fewer(search: Search, base: Fit) -> Iterator[Advice]:
    """Changes that save cards; of several formats the one that loses least stands for all."""
    for kind in CHANGES:
        for change in sorted(kind(search, base), key=lambda one: one.form.quality_rank):
            cards = cards_after(change, base.cards, base.split.cards - 1)
            if cards is not None:
                saved = base.split.cards - cards
                yield Advice(
                    change=change.change, saves_cards=saved, cards=cards, costs=change.costs
                )
                break


def remedies(search: Search, missed: Arrangement) -> tuple[Advice, ...]:
    """Where nothing fits: single changes with which the nearest miss would fit."""
    found = []
    for kind in CHANGES:
        for change in sorted(kind(search, missed.fit), key=lambda one: one.form.quality_rank):
            cards = cards_after(change, missed.fit.cards)
            if cards is not None:
                found.append(
                    Advice(change=change.change, saves_cards=0, cards=cards, costs=change.costs)
                )
                break
    return tuple(found)


def sensitivity(search: Search, best: Arrangement) -> Sensitivity:
    """Fewest of the recommended cards as context and concurrency double and double again."""
    limit = search.request.model.architecture.context_limit
    tokens, held = search.wish.context_tokens or 1, search.wish.concurrency or 1
    contexts = []
    for factor in GROWTH:
        wish = replace(search.wish, context_tokens=tokens * factor)
        beyond = limit is not None and tokens * factor > limit
        cards = None if beyond else _fewest(search, wish, best.fit)
        contexts.append(Growth(value=tokens * factor, cards=cards, beyond_limit=beyond))
    users = [
        Growth(
            value=held * factor,
            cards=_fewest(search, replace(search.wish, concurrency=held * factor), best.fit),
        )
        for factor in GROWTH
    ]
    return Sensitivity(context_tokens=tuple(contexts), concurrency=tuple(users))


def _fewest(search: Search, wish: ServingWish, base: Fit) -> int | None:
    found = changed(search, wish=wish).fewest(base.cards, base.format)
    return found.split.cards if found else None
