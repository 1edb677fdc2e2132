"""The plan: the smallest combination that fits, what else would, and why nothing smaller does."""

from __future__ import annotations

from dataclasses import replace

from service.domain.advice import advice, remedies, sensitivity
from service.domain.candidates import CardClass, card_classes
from service.domain.errors import InvalidRequest
from service.domain.lanes import Run
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
from service.domain.search import Arrangement, Search
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
    runs = fewest_runs(search)
    order = ranked(request.objective, runs, request.limit + 1)
    best = order[0] if order else None
    missed = None if best else nearest_miss(search, classes)
    shown = shown_options(search, [*order, *frontier(runs, max(1, request.limit))])
    found = Plan(
        model=request.model,
        workload_kind="inference",
        objective=request.objective,
        recommendation=shown[0] if best else None,
        alternatives=tuple(shown[1 : len(order)]),
        frontier=tuple(shown[len(order) :]),
        matrix=matrix(classes, runs),
        nearest_miss=option(search, missed) if missed else None,
        rejected=proof(search, best, classes, complete=request.explain)
        if best
        else tuple(row for cards in classes for row in refusals(cards)),
        advice=() if request.answer_only else advised(search, best, missed),
        sensitivity=sensitivity(search, best) if best and request.explain else None,
        assumptions=tuple(notes.found),
        warnings=plan_cautions(search, best) if best else (),
        evaluated=search.workload.evaluated,
    )
    return with_mixed(search, found) if request.allow_mixed else found


def fewest_runs(search: Search) -> list[Run]:
    """The fewest cards of every kind and format that fit; of an inventory what is worth having."""
    runs = search.runs()
    return undominated(runs) if search.request.inventory else runs


def undominated(runs: list[Run]) -> list[Run]:
    """Of one kind of card at several amounts of free memory only what takes fewer or less."""
    apart = [one for run in runs for one in run.apart()]
    kept: list[Run] = []
    for run in sorted(apart, key=lambda one: one.classes[0].room.memory_bytes):
        gpus = gpus_of(run)
        if not any(
            one.format == run.format and one.split.cards <= run.split.cards and gpus <= gpus_of(one)
            for one in kept
        ):
            kept.append(run)
    return kept


def gpus_of(run: Run) -> set[str]:
    """Kinds of card of a run of one class."""
    return {pool.gpu.id for pool in run.classes[0].pools}


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


def matrix(classes: tuple[CardClass, ...], runs: list[Run]) -> tuple[MatrixRow, ...]:
    """Fewest cards of every card × quantization; None where no number of them does."""
    kinds = {id(cards): tuple(pool.gpu.id for pool in cards.pools) for cards in classes}
    rows: dict[tuple[str, ...], dict[str, int | None]] = {}
    for cards in classes:
        names = [form.quantization.id for form in cards.formats]
        names += [refusal.quantization for refusal in cards.refusals]
        rows.setdefault(kinds[id(cards)], {}).update(dict.fromkeys(names))
    for run in runs:
        name, count = run.format.quantization.id, run.split.cards
        for cards in run.classes:
            row = rows[kinds[id(cards)]]
            held = row[name]
            row[name] = count if held is None else min(held, count)
    return tuple(MatrixRow(gpus=gpus, cards=cards) for gpus, cards in rows.items())
