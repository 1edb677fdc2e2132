"""Ways to run one replica of each model of a fleet: one plan for every kind of card and degree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from service.domain.budgets import POLICIES
from service.domain.errors import InvalidRequest
from service.domain.fleet_packing import Way
from service.domain.inventory import row_memory_bytes
from service.domain.judging import OUTSIDE, at_risk
from service.domain.plan_results import Option, Plan
from service.domain.planner import plan
from service.domain.requests import NodeRow, PlanRequest, ServingWish, Stock
from service.domain.results import Note
from service.domain.search import DEFAULT_TENSOR_PARALLEL


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetModel:
    """A model with the workload of one replica."""

    name: str
    request: PlanRequest
    replicas: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRequest:
    """Models to pack and the nodes to pack them onto.

    share_cards  whether replicas that take one card may stand on it together
    """

    models: tuple[FleetModel, ...]
    rows: tuple[NodeRow, ...]
    share_cards: bool = False


def model_ways(
    request: FleetRequest, index: int, stock: Stock
) -> tuple[tuple[Way, ...], str, tuple[Note, ...]]:
    """Ways to run one replica on every kind of card, fewest cards first; and why there is none."""
    asked, why = request.models[index].request, "no cards of the pool are allowed for it"
    found: dict[tuple[str, int, int], Way] = {}
    notes: dict[str, Note] = {}
    for memory, rows in levels(request.rows):
        for degrees in tensor_choices(asked):
            choices = replace(asked.choices, tensor_parallel=degrees)
            trial = replace(asked, inventory=rows, limit=0, choices=choices)
            answer = planned(trial, index, stock)
            notes |= {note.field: note for note in answer.assumptions}
            option, missed = answer.recommendation, answer.nearest_miss
            if option is not None:
                way = way_of(option, memory, asked, shares=request.share_cards)
                found.setdefault((option.gpu.id, way.tensor, way.groups), way)
            elif missed is not None:
                why = f"nearest is {missed.cards} x {missed.gpu.id}, short by "
                why += f"{missed.short_by_bytes} bytes a card"
    order = sorted(found.values(), key=lambda way: (way.cards, way.groups, way.option.gpu.id))
    noted = (replace(note, field=f"models.{index}.{note.field}") for note in notes.values())
    return tuple(order), why, tuple(noted)


def levels(rows: tuple[NodeRow, ...]) -> Iterator[tuple[int, tuple[NodeRow, ...]]]:
    """For every kind of card and amount of free memory all rows that have at least as much."""
    kinds = sorted({(row.gpu.id, row_memory_bytes(row)) for row in rows})
    for gpu, memory in kinds:
        able = (row for row in rows if row.gpu.id == gpu and row_memory_bytes(row) >= memory)
        yield memory, tuple(replace(row, free_memory_bytes=memory) for row in able)


def planned(request: PlanRequest, index: int, stock: Stock) -> Plan:
    """A plan of one model whose refusals name the model."""
    try:
        return plan(request, stock)
    except InvalidRequest as refusal:
        raise InvalidRequest(f"models.{index}.{refusal.field}", refusal.message) from refusal


def tensor_choices(asked: PlanRequest) -> tuple[tuple[int, ...] | None, ...]:
    """Degrees to plan one by one; a training run keeps its own choices."""
    if not isinstance(asked.workload, ServingWish):
        return (asked.choices.tensor_parallel,)
    degrees = asked.choices.tensor_parallel or DEFAULT_TENSOR_PARALLEL
    return tuple((degree,) for degree in (degrees if asked.workload.engine.splits else (1,)))


def way_of(option: Option, memory_bytes: int, asked: PlanRequest, *, shares: bool) -> Way:
    """A plan's option as groups of cards, with what a card has to give to each engine.

    Engines without a share of their own take what they need and the margin that they keep.
    """
    sized = [(term.side, at_risk(term.amount, asked.risk)) for term in option.per_card.terms]
    outside = sum(size for side, size in sized if side in OUTSIDE)
    inside = sum(size for _, size in sized) - outside
    wish = asked.workload
    if not (isinstance(wish, ServingWish) and POLICIES[wish.engine.policy].takes_share):
        inside = memory_bytes - option.headroom_bytes - outside
    return Way(
        option=option,
        memory_bytes=memory_bytes,
        tensor=option.tensor_parallel,
        groups=option.cards // option.tensor_parallel,
        shares=shares and option.cards == 1,
        inside_bytes=inside,
        outside_bytes=outside,
    )
