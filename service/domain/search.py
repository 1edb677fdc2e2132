"""Search over cards, formats and splits: the fewest cards of each kind that hold a workload."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from service.domain.bounds import Candidate, Candidates, Stairs
from service.domain.budgets import Sides, budget_bytes
from service.domain.candidates import CardClass, Format, Room
from service.domain.lanes import Lane, Run
from service.domain.questions import Serving, Split
from service.domain.requests import PlanRequest, Pool, ServingWish, Stock
from service.domain.share import Share, SmallestCards
from service.domain.speed import Speed
from service.domain.units import ceil_div
from service.domain.ways import (
    Ground,
    SplitChoices,
    divisible_splits,
    nodes_of,
    useful_ways,
    ways_by_count,
)
from service.domain.workload import Needs, Workload

DEFAULT_TENSOR_PARALLEL = (1, 2, 4, 8, 16)
DEFAULT_PIPELINE_PARALLEL = (1, 2, 3, 4, 5, 6, 7, 8)
DEFAULT_EXPERT_PARALLEL = (1,)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A format on so many cards of a class."""

    cards: CardClass
    format: Format
    split: Split

    @property
    def room(self) -> Room:
        """What the cards offer."""
        return self.cards.room

    @property
    def nodes(self) -> int:
        """Nodes that the replicas take."""
        return nodes_of(self.split, self.room.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A fit on the cards of one pool."""

    pool: Pool
    fit: Fit


def split_choices(request: PlanRequest, wish: ServingWish) -> SplitChoices:
    """Degrees of parallelism that a request leaves open."""
    wanted = request.choices
    if not wish.engine.splits:
        return SplitChoices(tensor_parallel=(1,), pipeline_parallel=(1,), expert_parallel=(1,))
    return SplitChoices(
        tensor_parallel=wanted.tensor_parallel or DEFAULT_TENSOR_PARALLEL,
        pipeline_parallel=wanted.pipeline_parallel or DEFAULT_PIPELINE_PARALLEL,
        expert_parallel=wanted.expert_parallel or DEFAULT_EXPERT_PARALLEL,
        spread_experts=wanted.expert_parallel is None and wish.engine.spreads_experts,
    )


def runners(classes: Iterable[CardClass]) -> Iterable[tuple[Format, list[CardClass]]]:
    """Formats that take the same bytes, with the classes that run them."""
    found: dict[tuple[int, str, str], tuple[Format, list[CardClass]]] = {}
    for cards in classes:
        for form in cards.formats:
            found.setdefault(form.stored_as, (form, []))[1].append(cards)
    return found.values()


@dataclass(slots=True, kw_only=True)
class Search:
    """One request's search; cards that differ in memory alone share a lane."""

    request: PlanRequest
    wish: ServingWish
    stock: Stock
    classes: tuple[CardClass, ...]
    speed: Speed
    workload: Workload = field(init=False)
    share: Share = field(init=False)
    split_choices: SplitChoices = field(init=False)
    _grounds: dict[int, Ground] = field(init=False, default_factory=dict)
    _candidates: dict[tuple[object, ...], Candidates] = field(init=False, default_factory=dict)
    _sizes: dict[int | None, list[int]] = field(init=False, default_factory=dict)
    _smallest: dict[tuple[int, int | None], SmallestCards] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Settle what every step needs."""
        self.workload = Workload(request=self.request, wish=self.wish, stock=self.stock)
        self.share = Share(
            engine=self.wish.engine,
            profile=self.workload.profile,
            wanted=self.wish.memory_utilization,
            kept=self.request.limits.min_headroom,
        )
        self.split_choices = split_choices(self.request, self.wish)

    def serving(self, pool: Pool, form: Format, split: Split) -> Serving:
        """The question for one card, format and split."""
        return self.workload.serving(pool.gpu, form, split)

    def ground(self, room: Room) -> Ground:
        """What bounds the ways on a card, with nothing that does not."""
        found = self._grounds.get(id(room))
        if found is None:
            found = self._grounds[id(room)] = self._ground(room)
        return found

    def _ground(self, room: Room) -> Ground:
        most = 1 if room.is_mig else room.max_cards
        usable = (t for t in self.split_choices.tensor_parallel if t <= room.cards_per_node)
        tensor = max(usable, default=0)
        ample = sum(nodes for cards, nodes in room.shape if cards >= tensor) >= most
        return Ground(max_tensor=tensor, max_cards=most, shape=() if ample else room.shape)

    def lanes(self) -> Iterator[tuple[Lane, Format]]:
        """Every format with the classes that run it, those together that differ in memory alone."""
        members: dict[tuple[object, ...], list[CardClass]] = {}
        for cards in self.classes:
            room = cards.room
            key = (room.batch, self.ground(room), room.fast_as, self.total_of(room))
            members.setdefault(key, []).append(cards)
        for alike in members.values():
            known: dict[tuple[int, ...], Lane] = {}
            for form, able in runners(alike):
                place = tuple(map(id, able))
                if place not in known:
                    known[place] = self.lane(*able)
                yield known[place], form

    def lane(self, *classes: CardClass) -> Lane:
        """Classes of cards that differ in memory alone."""
        ordered = tuple(sorted(classes, key=lambda cards: cards.room.memory_bytes))
        room = ordered[0].room
        return Lane(
            classes=ordered,
            memories=tuple(cards.room.memory_bytes for cards in ordered),
            ground=self.ground(room),
            total_bytes=self.total_of(room),
        )

    def total_of(self, room: Room) -> int | None:
        """The total of a card where the engine's share of it depends on that."""
        return room.total_bytes if self.share.varies else None

    def splits(self, form: Format) -> tuple[Split, ...]:
        """Splits of one replica that divide the model in a format."""
        model = self.request.model.architecture
        return divisible_splits(model, form.quantization, self.split_choices)

    def stairs(self, lane: Lane, form: Format) -> Stairs:
        """The first way that fits each size of card, in a format."""
        cards = lane.classes[0]
        needs = self.needs(cards, form)
        return Stairs(
            candidates=self.candidates(lane.ground, form),
            weight_bytes=needs.least_weight_bytes,
            all_cached_bytes=needs.beside.all_cached_bytes,
            cap=self.share.cap,
            floor=needs.beside.floor,
            smallest_bytes=self.smallest(needs, lane.total_bytes).of,
            slow=lambda way: self.missed_target(cards, form, way) is not None,
        )

    def candidates(self, ground: Ground, form: Format) -> Candidates:
        """Useful ways for a format, fewest cards first, and what they cache at least."""
        splits = self.splits(form)
        key = (splits, form.cache.id, ground)
        found = self._candidates.get(key)
        if found is None:
            held = self.workload.concurrency
            wanted = None if self.speed.targets.requests_per_second else held
            ways = useful_ways(splits, ground, self.most_replicas(ground), wanted)
            one = self.workload.least_cached_bytes(form.cache)
            found = self._candidates[key] = Candidates(
                tuple(Candidate(way, way.ranks, ceil_div(held, way.data) * one) for way in ways),
                tuple(way.cards for way in ways),
            )
        return found

    def smallest(self, needs: Needs, total_bytes: int | None) -> SmallestCards:
        """The smallest of the cards in question that each way fits."""
        key = (id(needs), total_bytes)
        found = self._smallest.get(key)
        if found is None:
            found = self._smallest[key] = SmallestCards(
                share=self.share,
                needs=needs,
                sizes=self.sizes(total_bytes),
                total_bytes=total_bytes or 0,
            )
        return found

    def sizes(self, total_bytes: int | None) -> list[int]:
        """Memory of the cards in question, smallest first; of those of a total where it counts."""
        found = self._sizes.get(total_bytes)
        if found is None:
            rooms = (cards.room for cards in self.classes)
            sizes = {one.memory_bytes for one in rooms if total_bytes in {None, one.total_bytes}}
            found = self._sizes[total_bytes] = sorted(sizes)
        return found

    def most_replicas(self, ground: Ground) -> int:
        """Replicas beyond the sequences are idle, unless requests come faster than one serves."""
        wanted = self.speed.targets.requests_per_second
        replicas = self.workload.concurrency if wanted is None else ground.max_cards
        return min(replicas, ground.max_cards)

    def missed_target(self, cards: CardClass, form: Format, way: Split) -> str | None:
        """Which target of speed a way cannot reach; None where it may, or none is asked."""
        if not self.speed.asked:
            return None
        gpu = cards.pools[0].gpu
        return self.speed.missed(self.workload.serving(gpu, form, way), gpu, form.path)

    def runs(self) -> list[Run]:
        """The fewest cards of every kind in every format that fit."""
        return [
            Run(lane, form, *step)
            for lane, form in self.lanes()
            for step in self.stairs(lane, form).steps(lane.memories)
        ]

    def fewest(self, cards: CardClass, form: Format, most: int | None = None) -> Fit | None:
        """The arrangement of fewest cards that fits; None where none does within the limits.

        `most` is the largest number of cards that is of interest, all that the limits allow if
        None.
        """
        lane = self.lane(cards)
        for step in self.stairs(lane, form).steps(lane.memories):
            if most is None or step.way.cards <= most:
                return Fit(cards=cards, format=form, split=step.way)
        return None

    def needs(self, cards: CardClass, form: Format) -> Needs:
        """What the heaviest stages take in a format on a class of cards."""
        return self.workload.needs(cards.pools[0].gpu, cards.room.batch, form)

    def headroom_bytes(self, fit: Fit) -> int:
        """What a way leaves of each card, negative where bytes are missing. [B]"""
        room, way = fit.room, fit.split
        need = self.needs(fit.cards, fit.format).of(way)
        return self.share.headroom_bytes(room.memory_bytes, room.total_bytes, need, way)

    def budget_bytes(self, fit: Fit, sides: Sides) -> int:
        """What the engine takes of each card for itself. [B]"""
        room, way = fit.room, fit.split
        need = self.needs(fit.cards, fit.format).of(way)
        offer = self.share.offer(room.memory_bytes, room.total_bytes, need, way)
        return budget_bytes(self.wish.engine.policy, offer, sides)

    def ways(self, cards: CardClass, form: Format) -> tuple[tuple[Split, ...], ...]:
        """At index n every way to use exactly n cards."""
        ground = self.ground(cards.room)
        return ways_by_count(self.splits(form), ground, self.most_replicas(ground))

    def nearest(self, cards: CardClass, form: Format, count: int) -> Fit | None:
        """Of all arrangements on exactly so many cards, the one that misses least."""
        ways = self.ways(cards, form)
        row = ways[count] if count < len(ways) else ()
        fits = (Fit(cards=cards, format=form, split=way) for way in row)
        return max(fits, key=self.headroom_bytes, default=None)
