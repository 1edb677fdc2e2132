"""Search over cards, formats and splits: the fewest cards of each kind that hold a workload."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.domain.bounds import Bound
from service.domain.candidates import CardClass, Format, Room
from service.domain.questions import Serving, Split
from service.domain.requests import PlanRequest, Pool, ServingWish, Stock
from service.domain.share import Share
from service.domain.speed import Speed
from service.domain.ways import Ground, SplitChoices, divisible_splits, nodes_of, ways_by_count
from service.domain.workload import Needs, Workload

DEFAULT_TENSOR_PARALLEL = (1, 2, 4, 8, 16)
DEFAULT_PIPELINE_PARALLEL = (1, 2, 3, 4, 5, 6, 7, 8)
DEFAULT_EXPERT_PARALLEL = (1,)


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
        return nodes_of(self.split, self.room.shape)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A fit on the cards of one pool."""

    pool: Pool
    fit: Fit


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A format on alike cards: the ways to use every number of them, and what each takes."""

    needs: Needs
    bound: Bound
    ways: tuple[tuple[Split, ...], ...]
    weight_bytes: int


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
    classes: tuple[CardClass, ...]
    speed: Speed
    workload: Workload = field(init=False)
    share: Share = field(init=False)
    split_choices: SplitChoices = field(init=False)
    _series: dict[tuple[object, ...], Series] = field(default_factory=dict)
    _bounds: dict[tuple[object, ...], Bound] = field(default_factory=dict)
    _grounds: dict[int, Ground] = field(default_factory=dict)
    _lightest: int | None = None

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
        splits = divisible_splits(
            self.request.model.architecture, form.quantization, self.split_choices
        )
        return Series(
            needs=self.workload.needs(cards.pools[0].gpu, cards.room.batch, form),
            bound=self.bound(cards, form, ground),
            ways=ways_by_count(splits, ground, self.most_replicas(ground)),
            weight_bytes=self.workload.least_weight_bytes(form),
        )

    def bound(self, cards: CardClass, form: Format, ground: Ground) -> Bound:
        """What every number of cards takes at least, over all formats of a precision and cache."""
        key = (form.precision.id, form.cache.id, id(cards.room.batch), ground)
        found = self._bounds.get(key)
        if found is None:
            gpu, batch = cards.pools[0].gpu, cards.room.batch
            model, plain = self.request.model.architecture, self.stock.quantizations["none"]
            splits = divisible_splits(model, plain, self.split_choices)
            found = self._bounds[key] = Bound(
                ways=ways_by_count(splits, ground, self.most_replicas(ground)),
                loads=lambda way: self.workload.loads(gpu, batch, form, way),
                cap=self.share.cap,
                weight_bytes=self.lightest_bytes,
            )
        return found

    @property
    def lightest_bytes(self) -> int:
        """Weights in the format that takes least of all in question. [B]"""
        if self._lightest is None:
            formats = {id(form): form for cards in self.classes for form in cards.formats}
            sizes = map(self.workload.least_weight_bytes, formats.values())
            self._lightest = min(sizes, default=0)
        return self._lightest

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

    def fewest(self, cards: CardClass, form: Format, most: int | None = None) -> Fit | None:
        """The arrangement of fewest cards that fits; None where none does within the limits.

        `most` is the largest number of cards that is of interest, all that the limits allow if
        None. The bound over all formats rules out every smaller number; from there on numbers are
        judged one by one, ways that an equal part of the weights already overfills left out.
        """
        series, memory = self.series(cards, form), cards.room.memory_bytes
        bound, weights = series.bound, series.weight_bytes
        last = len(series.ways) - 1 if most is None else min(most, len(series.ways) - 1)
        for count in range(bound.first_count(memory, last), last + 1):
            for way in series.ways[count]:
                if bound.held_bytes(way, weights) > memory:
                    continue
                left = self.share.headroom_bytes(cards.room, series.needs.of(way), way)
                if left >= 0 and self.missed_target(cards, form, way) is None:
                    return Fit(cards=cards, format=form, split=way, headroom_bytes=left)
        return None

    def nearest(self, cards: CardClass, form: Format, count: int) -> Fit | None:
        """Of all arrangements on exactly so many cards, the one that misses least."""
        series = self.series(cards, form)
        if count >= len(series.ways):
            return None
        best: Fit | None = None
        for way in series.ways[count]:
            left = self.share.headroom_bytes(cards.room, series.needs.of(way), way)
            if best is None or left > best.headroom_bytes:
                best = Fit(cards=cards, format=form, split=way, headroom_bytes=left)
        return best
