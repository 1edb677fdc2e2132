"""Search over cards, formats and splits: the fewest cards of each kind that hold a workload."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field

from service.domain.budgets import Offer, largest_share, left_bytes
from service.domain.candidates import CardClass, Format, Room
from service.domain.engine import Policy
from service.domain.judging import Heaviest, usable_share
from service.domain.questions import Serving, Split
from service.domain.requests import PlanRequest, Pool, ServingWish, Stock
from service.domain.speed import Speed
from service.domain.units import bytes_of_gib, ceil_div
from service.domain.ways import Ground, SplitChoices, divisible_splits, nodes_of, ways_by_count
from service.domain.workload import Needs, Workload

DEFAULT_TENSOR_PARALLEL = (1, 2, 4, 8, 16)
DEFAULT_PIPELINE_PARALLEL = (1, 2, 3, 4, 5, 6, 7, 8)
DEFAULT_EXPERT_PARALLEL = (1,)
NEVER_BYTES = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fit:
    """A format on so many cards of a class; `headroom_bytes` is negative where it does not fit."""

    cards: CardClass
    format: Format
    split: Split
    headroom_bytes: int

    @property
    def room(self) -> Room:
        """What the cards offer."""
        return self.cards.room

    @property
    def nodes(self) -> int:
        """Nodes that the replicas take."""
        return nodes_of(self.split, self.room.cards_per_node)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A fit on the cards of one pool."""

    pool: Pool
    fit: Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How the engine takes its part of a card.

    wanted   the share that the caller fixed
    largest  the most that it takes, before room is made for what lies outside its budget
    cap      the most that what is inside the budget may take, by the engine's policy
    margin_bytes  what the engine keeps free
    kept     share of the card that the caller wants to keep free
    """

    policy: Policy
    wanted: float | None
    largest: float
    cap: float
    margin_bytes: int
    kept: float

    def headroom_bytes(self, need: Heaviest, memory_bytes: int) -> int:
        """Bytes left on a card, negative where they are missing. [B]"""
        share = self.wanted
        if share is None:
            share = usable_share(self.policy, self.largest, need.outside_high, memory_bytes)
        offer = Offer(memory_bytes=memory_bytes, share=share, margin_bytes=self.margin_bytes)
        left = min(left_bytes(self.policy, offer, sides) for sides in need.sides)
        return left - int(self.kept * memory_bytes)

    def floor_bytes(self, need: Heaviest) -> int:
        """Smaller cards than this do not do. [B]

        M ≥ max(I + O, I / u)

        I, O  inside and outside the engine's budget   u  the largest share that it takes
        """
        return max(need.whole, int(need.inside / self.cap))


@dataclass(slots=True, kw_only=True)
class Series:
    """A format on alike cards: what every number of them takes, worked out when first asked.

    steps, heights   the numbers of cards at which the smallest sufficient card shrinks, and the
                     negated size of that card: a search in `heights` finds the first number
    """

    needs: Needs
    share: Share
    ways: tuple[tuple[Split, ...], ...]
    least_bytes: int
    reached: int
    known: dict[int, tuple[Heaviest, ...]] = field(default_factory=dict)
    steps: list[int] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)

    def needs_of(self, count: int) -> tuple[Heaviest, ...]:
        """What the fullest cards of every way to use so many cards hold."""
        found = self.known.get(count)
        if found is None:
            found = self.known[count] = tuple(map(self.needs.of, self.ways[count]))
        return found

    def floor_bytes(self, count: int) -> int:
        """Smaller cards than this do not do, whichever way so many are used. [B]"""
        return min(map(self.share.floor_bytes, self.needs_of(count)), default=NEVER_BYTES)

    def extend(self) -> None:
        """Look at one more card."""
        self.reached += 1
        height = -self.floor_bytes(self.reached)
        if not self.heights or height > self.heights[-1]:
            self.steps.append(self.reached)
            self.heights.append(height)

    def first_count(self, memory_bytes: int) -> int:
        """The first number of cards for which cards of this size may do; beyond all if none."""
        most = len(self.ways) - 1
        if self.least_bytes > most * int(memory_bytes * self.share.cap):
            return most + 1
        place = bisect_left(self.heights, -memory_bytes)
        while place == len(self.heights) and self.reached < most:
            self.extend()
            if self.heights[-1] < -memory_bytes:
                place = len(self.heights)
        return self.steps[place] if place < len(self.heights) else most + 1

    def fits_on(self, count: int, memory_bytes: int) -> Iterator[tuple[Split, int]]:
        """Ways to use so many cards that fit, with the bytes left."""
        for way, need in zip(self.ways[count], self.needs_of(count), strict=True):
            if self.share.floor_bytes(need) > memory_bytes:
                continue
            left = self.share.headroom_bytes(need, memory_bytes)
            if left >= 0:
                yield way, left


def split_choices(request: PlanRequest, wish: ServingWish) -> SplitChoices:
    """Degrees of parallelism that a request leaves open."""
    wanted = request.choices
    if not wish.engine.splits:
        return SplitChoices(tensor_parallel=(1,), pipeline_parallel=(1,), expert_parallel=(1,))
    return SplitChoices(
        tensor_parallel=wanted.tensor_parallel or DEFAULT_TENSOR_PARALLEL,
        pipeline_parallel=wanted.pipeline_parallel or DEFAULT_PIPELINE_PARALLEL,
        expert_parallel=wanted.expert_parallel or DEFAULT_EXPERT_PARALLEL,
    )


@dataclass(slots=True, kw_only=True)
class Search:
    """One request's search; cards of the same defaults and node share a series."""

    request: PlanRequest
    wish: ServingWish
    stock: Stock
    largest_memory_bytes: int
    speed: Speed
    workload: Workload = field(init=False)
    share: Share = field(init=False)
    split_choices: SplitChoices = field(init=False)
    _series: dict[tuple[object, ...], Series] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Settle what every step needs."""
        self.workload = Workload(request=self.request, wish=self.wish, stock=self.stock)
        wanted, profile = self.wish.memory_utilization, self.workload.profile
        policy, largest = self.wish.engine.policy, wanted or profile.memory_utilization
        self.share = Share(
            policy=policy,
            wanted=wanted,
            largest=largest,
            cap=largest_share(policy, largest),
            margin_bytes=bytes_of_gib(profile.margin_gib),
            kept=self.request.limits.min_headroom,
        )
        self.split_choices = split_choices(self.request, self.wish)

    def serving(self, pool: Pool, form: Format, split: Split) -> Serving:
        """The question for one card, format and split."""
        return self.workload.serving(pool.gpu, form, split)

    def ground(self, room: Room) -> Ground:
        """What bounds the ways on a card, with nothing that does not."""
        most = 1 if room.is_mig else room.max_cards
        usable = (t for t in self.split_choices.tensor_parallel if t <= room.cards_per_node)
        tensor = max(usable, default=0)
        if room.max_nodes >= most:
            return Ground(max_tensor=tensor, max_cards=most)
        return Ground(
            max_tensor=tensor,
            max_cards=most,
            node_cards=room.cards_per_node,
            max_nodes=room.max_nodes,
        )

    def series(self, cards: CardClass, form: Format) -> Series:
        """What every number of cards takes in a format."""
        room = cards.room
        ground = self.ground(room)
        formats = (id(form.quantization), form.precision.id, form.cache.id)
        key = (formats, id(room.batch), ground)
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = self._new_series(cards, form, ground)
        return found

    def _new_series(self, cards: CardClass, form: Format, ground: Ground) -> Series:
        """A series that starts at the fewest cards that the largest card in question allows."""
        model, workload = self.request.model.architecture, self.workload
        splits = divisible_splits(model, form.quantization, self.split_choices)
        least = workload.least_bytes(form)
        most = int(self.largest_memory_bytes * self.share.cap)
        return Series(
            needs=workload.needs(cards.pools[0].gpu, cards.room.batch, form),
            share=self.share,
            ways=ways_by_count(splits, ground, self.most_replicas(ground)),
            least_bytes=least,
            reached=min(max(0, ceil_div(least, max(1, most)) - 1), ground.max_cards),
        )

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

    def fewest(self, cards: CardClass, form: Format) -> Fit | None:
        """The arrangement of fewest cards that fits; None where none does within the limits.

        The series' steps rule out every smaller number; where the engine's rounding of its share
        makes the first possible one fail, larger ones are judged one by one.
        """
        series, memory = self.series(cards, form), cards.room.memory_bytes
        for count in range(series.first_count(memory), len(series.ways)):
            for way, left in series.fits_on(count, memory):
                if self.missed_target(cards, form, way) is None:
                    return Fit(cards=cards, format=form, split=way, headroom_bytes=left)
        return None

    def nearest(self, cards: CardClass, form: Format, count: int) -> Fit | None:
        """Of all arrangements on exactly so many cards, the one that misses least."""
        series, memory = self.series(cards, form), cards.room.memory_bytes
        if count >= len(series.ways):
            return None
        best: Fit | None = None
        for way, need in zip(series.ways[count], series.needs_of(count), strict=True):
            left = self.share.headroom_bytes(need, memory)
            if best is None or left > best.headroom_bytes:
                best = Fit(cards=cards, format=form, split=way, headroom_bytes=left)
        return best
