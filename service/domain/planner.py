"""The plan: the smallest combination that fits, what else would, and why nothing smaller does."""

from __future__ import annotations

from dataclasses import replace

from service.domain.advice import advice, remedies, sensitivity
from service.domain.candidates import CardClass, card_classes
from service.domain.errors import InvalidRequest
from service.domain.mixed import with_mixed
from service.domain.options import option
from service.domain.plan_results import Advice, MatrixRow, Option, Plan
from service.domain.precision import Precision
from service.domain.proof import nearest_miss, proof, refusals
from service.domain.questions import Split
from service.domain.ranking import frontier, ranked
from service.domain.requests import PlanRequest, ServingWish, Stock, TrainingWish
from service.domain.resolving import (
    CardFacts,
    Frame,
    Notes,
    resolved_precision,
    resolved_quantization,
    resolved_serving,
)
from service.domain.results import Caution
from service.domain.rules import cautions
from service.domain.search import Arrangement, Fit, Search
from service.domain.speed import resolved_speed
from service.domain.training_choices import refuse_training_choices
from service.domain.training_plan import training_plan


def plan(request: PlanRequest, stock: Stock) -> Plan:
    """The smallest combination of the choices that fits within the limits.

    Raises: InvalidRequest where a field cannot be honoured.
    """
    if isinstance(request.workload, TrainingWish):
        if request.allow_mixed:
            raise InvalidRequest("allow_mixed", "training stages stand on cards of one kind")
        return training_plan(request, request.workload, stock)
    refuse_training_choices(request)
    return serving_plan(request, request.workload, stock)


def serving_plan(request: PlanRequest, wish: ServingWish, stock: Stock) -> Plan:
    """The smallest combination that serves a workload."""
    notes = Notes()
    precision = resolved_precision(request.model.architecture, request.precision, stock, notes)
    wish = settled(request, wish, precision, stock, notes)
    classes = card_classes(request, wish, precision, stock, notes)
    search = Search(
        request=request,
        wish=wish,
        stock=stock,
        speed=resolved_speed(request.targets, wish.context_tokens or 1, stock.physics, notes),
        classes=classes,
    )
    fits = fewest_fits(search, classes)
    order = ranked(request.objective, fits, request.limit + 1)
    best = order[0] if order else None
    missed = None if best else nearest_miss(search, classes)
    shown = shown_options(search, [*order, *frontier(fits, max(1, request.limit))])
    found = Plan(
        model=request.model,
        workload_kind="inference",
        objective=request.objective,
        recommendation=shown[0] if best else None,
        alternatives=tuple(shown[1 : len(order)]),
        frontier=tuple(shown[len(order) :]),
        matrix=matrix(classes, fits),
        nearest_miss=option(search, missed) if missed else None,
        rejected=proof(search, best, classes, complete=request.explain)
        if best
        else tuple(row for cards in classes for row in refusals(cards)),
        advice=advised(search, best, missed),
        sensitivity=sensitivity(search, best) if best and request.explain else None,
        assumptions=tuple(notes.found),
        warnings=plan_cautions(search, best) if best else (),
        evaluated=search.workload.evaluated,
    )
    return with_mixed(search, found) if request.allow_mixed else found


def fewest_fits(search: Search, classes: tuple[CardClass, ...]) -> list[Fit]:
    """The fewest cards of every kind and format that fit; of an inventory what is worth having."""
    fits = [
        fit
        for cards in classes
        for form in cards.formats
        if (fit := search.fewest(cards, form)) is not None
    ]
    return undominated(fits) if search.request.inventory else fits


def undominated(fits: list[Fit]) -> list[Fit]:
    """Of one kind of card at several amounts of free memory only what takes fewer or less."""
    kept: list[Fit] = []
    for fit in sorted(fits, key=lambda one: one.room.memory_bytes):
        gpus = {pool.gpu.id for pool in fit.cards.pools}
        if not any(
            one.format == fit.format
            and one.split.cards <= fit.split.cards
            and gpus <= {pool.gpu.id for pool in one.cards.pools}
            for one in kept
        ):
            kept.append(fit)
    return kept


def advised(
    search: Search, best: Arrangement | None, missed: Arrangement | None
) -> tuple[Advice, ...]:
    """What would need fewer cards; where nothing fits, what would make the nearest miss fit."""
    if best is not None:
        return advice(search, best)
    return remedies(search, missed) if missed is not None else ()


def shown_options(search: Search, order: list[Arrangement]) -> list[Option]:
    """The answers for arrangements, each worked out once."""
    known: dict[tuple[int, int], Option] = {}
    shown = []
    for one in order:
        place = (id(one.pool), id(one.fit))
        if place not in known:
            known[place] = option(search, one)
        shown.append(known[place])
    return shown


def plan_cautions(search: Search, best: Arrangement) -> tuple[Caution, ...]:
    """Warnings about the recommended arrangement."""
    serving = search.serving(best.pool, best.fit.format, best.fit.split)
    return cautions(serving, best.pool.gpu)


def settled(
    request: PlanRequest, wish: ServingWish, precision: Precision, stock: Stock, notes: Notes
) -> ServingWish:
    """The workload with context and concurrency fixed, and every assumption noted."""
    frame = Frame(
        model=request.model.architecture,
        precision=precision,
        quantization=resolved_quantization(
            request.model.architecture, request.quantization, request.precision, stock, Notes()
        ),
        split=Split(),
        card=CardFacts(memory_bytes=None),
    )
    serving = resolved_serving(frame, wish, stock, Notes())
    if wish.context_tokens is None:
        notes.default(
            "workload.context_tokens", serving.context_tokens, "min(the model's limit, 8192)"
        )
    if wish.concurrency is None:
        notes.default("workload.concurrency", 1, "default")
    return replace(
        wish,
        context_tokens=serving.context_tokens,
        concurrency=wish.concurrency or 1,
        allow_context_beyond_limit=True,
    )


def matrix(classes: tuple[CardClass, ...], fits: list[Fit]) -> tuple[MatrixRow, ...]:
    """Fewest cards of every card × quantization; None where no number of them does."""
    kinds = {id(cards): tuple(pool.gpu.id for pool in cards.pools) for cards in classes}
    rows: dict[tuple[str, ...], dict[str, int | None]] = {}
    for cards in classes:
        names = [form.quantization.id for form in cards.formats]
        names += [refusal.quantization for refusal in cards.refusals]
        rows.setdefault(kinds[id(cards)], {}).update(dict.fromkeys(names))
    for fit in fits:
        row, name = rows[kinds[id(fit.cards)]], fit.format.quantization.id
        held = row[name]
        row[name] = fit.split.cards if held is None else min(held, fit.split.cards)
    return tuple(MatrixRow(gpus=gpus, cards=cards) for gpus, cards in rows.items())
