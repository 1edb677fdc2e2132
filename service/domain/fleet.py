"""Several models on one pool of cards: the fewest nodes that hold them all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from service.domain.errors import InvalidRequest
from service.domain.fleet_packing import SHARES, Bin, Packer, Placed, Unit, Way
from service.domain.fleet_ways import FleetRequest, model_ways
from service.domain.inventory import row_memory_bytes
from service.domain.nodes import Taken
from service.domain.plan_results import Option
from service.domain.planner import plan
from service.domain.requests import NodeRow, PlanRequest, ServingWish, Stock
from service.domain.results import Note

MOST_UNITS = 64
MOST_KINDS = 8
MOST_BINS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A replica on its cards; `card` numbers a shared card of its node, `share` is the engine's."""

    model: str
    replica: int
    option: Option
    placement: tuple[Taken, ...]
    card: int | None = None
    share: float | None = None
    claim_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """A model that no cards of the pool hold, and why."""

    model: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """All replicas on their nodes, how few nodes are possible, and what has no place."""

    assignments: tuple[Assignment, ...]
    unplaced: tuple[Unplaced, ...]
    nodes: int
    cards: int
    least_nodes: int
    proved: bool
    share_cards: bool
    assumptions: tuple[Note, ...]

    @property
    def fits(self) -> bool:
        """Whether every replica has its cards."""
        return not self.unplaced


def fleet(request: FleetRequest, stock: Stock) -> Fleet:
    """The fewest nodes that hold all models.

    Raises: InvalidRequest where a field cannot be honoured or the question is too large.
    """
    bins = free_bins(request.rows)
    refuse_large(request, bins)
    ways: list[tuple[Way, ...]] = []
    notes: list[Note] = []
    unplaced: list[Unplaced] = []
    for index, model in enumerate(request.models):
        found, why, noted = model_ways(request, index, stock)
        ways.append(found)
        notes += noted
        if not found:
            unplaced.append(Unplaced(model=model.name, reason=why))
    units = sorted(
        (
            Unit(model=index, replica=replica, ways=ways[index])
            for index, model in enumerate(request.models)
            for replica in range(model.replicas)
            if ways[index]
        ),
        key=lambda unit: (-unit.whole_cards, -unit.ways[0].inside_bytes, unit.model, unit.replica),
    )
    packing = Packer(units=tuple(units), bins=bins).packing()
    if units and packing.placed is None:
        unplaced.append(
            Unplaced(
                model=", ".join(all_names(request, units)),
                reason=shortage(
                    sum(unit.whole_cards for unit in units), bins, complete=packing.complete
                ),
            )
        )
    return Fleet(
        assignments=assignments(request, packing.placed or (), bins, stock),
        unplaced=tuple(unplaced),
        nodes=packing.nodes,
        cards=packing.cards,
        least_nodes=packing.least_nodes if packing.placed else 0,
        proved=packing.complete or packing.nodes == packing.least_nodes,
        share_cards=request.share_cards,
        assumptions=tuple(notes),
    )


def all_names(request: FleetRequest, units: list[Unit]) -> list[str]:
    """Names of the models of some replicas."""
    return [request.models[index].name for index in sorted({unit.model for unit in units})]


def shortage(least_cards: int, bins: tuple[Bin, ...], *, complete: bool) -> str:
    """Why replicas that fit alone do not fit together."""
    free = sum(one.cards for one in bins)
    if least_cards > free:
        return f"together they take at least {least_cards} cards; {free} are free"
    if complete:
        return f"no division of the {free} free cards holds all of them"
    return "no packing was found before the search stopped; that none exists is not proved"


def free_bins(rows: tuple[NodeRow, ...]) -> tuple[Bin, ...]:
    """Free cards by node, kind and memory, largest nodes first."""
    counted: Counter[tuple[str, str, int]] = Counter()
    for row in rows:
        for name in row.names[: MOST_BINS + 1]:
            counted[name, row.gpu.id, row_memory_bytes(row)] += row.cards_per_node
    found = [
        Bin(node=node, gpu=gpu, memory_bytes=memory, cards=cards)
        for (node, gpu, memory), cards in counted.items()
    ]
    return tuple(sorted(found, key=lambda one: (-one.cards, one.memory_bytes)))


def refuse_large(request: FleetRequest, bins: tuple[Bin, ...]) -> None:
    """Refuse what cannot be searched in bounded time.

    Raises: InvalidRequest.
    """
    replicas = sum(model.replicas for model in request.models)
    if replicas > MOST_UNITS:
        raise InvalidRequest("models", f"{replicas} replicas in all; at most {MOST_UNITS}")
    kinds = len({(one.gpu, one.memory_bytes) for one in bins})
    if kinds > MOST_KINDS:
        raise InvalidRequest(
            "inventory",
            f"{kinds} kinds of card and free memory; a fleet takes at most {MOST_KINDS}",
        )
    if len(bins) > MOST_BINS:
        raise InvalidRequest("inventory", f"more than {MOST_BINS} nodes")


def assignments(
    request: FleetRequest, placed: tuple[Placed, ...], bins: tuple[Bin, ...], stock: Stock
) -> tuple[Assignment, ...]:
    """Replicas in the order of the request, each with its nodes."""
    ordered = sorted(placed, key=lambda one: (one.unit.model, one.unit.replica))
    crowd = Counter(one.spots[0] for one in placed if one.way.shares)
    return tuple(assignment(request, one, bins, stock, crowd) for one in ordered)


def assignment(
    request: FleetRequest,
    one: Placed,
    bins: tuple[Bin, ...],
    stock: Stock,
    crowd: Counter[tuple[int, int]],
) -> Assignment:
    """One replica; on a card with others its engine is told to take no more than it needs."""
    model, way = request.models[one.unit.model], one.way
    held: Counter[str] = Counter()
    for place, _ in one.spots:
        held[bins[place].node] += way.tensor
    option = way.option
    taken = tuple(Taken(node=node, cards=cards, gpu=option.gpu.id) for node, cards in held.items())
    base = Assignment(model=model.name, replica=one.unit.replica, option=option, placement=taken)
    if not way.shares or crowd[one.spots[0]] == 1:
        return base
    place, card = one.spots[0]
    memory = bins[place].memory_bytes
    share = way.share_hundredths(memory) / SHARES
    return replace(
        base,
        option=narrowed(model.request, option, (share, memory), stock),
        card=card,
        share=share,
        claim_bytes=way.claim_bytes(memory),
    )


def narrowed(asked: PlanRequest, option: Option, told: tuple[float, int], stock: Stock) -> Option:
    """The option with its engine told a share of so many free bytes, where it takes a share."""
    wish, (share, memory_bytes) = asked.workload, told
    if not isinstance(wish, ServingWish) or option.card.policy != "of-total":
        return option
    row = NodeRow(gpu=option.gpu, names=("card",), cards_per_node=1, free_memory_bytes=memory_bytes)
    wish = replace(wish, memory_utilization=share)
    alone = replace(asked, workload=wish, inventory=(row,), limit=0)
    return plan(alone, stock).recommendation or option
