"""Search over cards, formats and splits: the fewest cards of each kind that hold a workload."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from service.domain.architecture import stages
from service.domain.budgets import largest_share, left_bytes
from service.domain.candidates import CardClass, Format, Room
from service.domain.judging import (
    Heaviest,
    Need,
    heaviest,
    loads_beside_weights,
    serving_offer,
    usable_share,
    weight_loads,
)
from service.domain.profiles import Profile
from service.domain.questions import Placement, Serving, Split
from service.domain.requests import PlanRequest, Pool, ServingWish, Stock
from service.domain.resolving import CardFacts, Frame, Notes, resolved_serving
from service.domain.results import Amount
from service.domain.sums import least_sequence_bits, stage_weight_bytes, weight_sums
from service.domain.units import bytes_of_bits, ceil_div
from service.domain.ways import Ground, SplitChoices, divisible_splits, nodes_of, ways_by_count

DEFAULT_TENSOR_PARALLEL = (1, 2, 4, 8, 16)
DEFAULT_PIPELINE_PARALLEL = (1, 2, 3, 4, 5, 6, 7, 8)
DEFAULT_EXPERT_PARALLEL = (1,)
NEVER_BYTES = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
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


@dataclass(slots=True, kw_only=True)
class Series:
    """Ways by number of cards, and for each number the least that any of its ways holds a card."""

    ways: tuple[tuple[Split, ...], ...]
    floors: dict[int, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Search:
    """One request's search; loads are computed once for every setting that they depend on."""

    request: PlanRequest
    wish: ServingWish
    stock: Stock
    evaluated: int = 0
    _loads: dict[tuple[object, ...], tuple[Need, ...]] = field(default_factory=dict)
    _weights: dict[tuple[object, ...], tuple[Amount, ...]] = field(default_factory=dict)
    _needs: dict[tuple[object, ...], Heaviest] = field(default_factory=dict)
    _series: dict[tuple[object, ...], Series] = field(default_factory=dict)
    _least: dict[tuple[str, str, str], tuple[int, int]] = field(default_factory=dict)

    @property
    def concurrency(self) -> int:
        """Sequences wanted over all replicas."""
        return self.wish.concurrency or 1

    @property
    def split_choices(self) -> SplitChoices:
        """Degrees of parallelism that the request leaves open."""
        wanted = self.request.choices
        if not self.wish.engine.splits:
            return SplitChoices(tensor_parallel=(1,), pipeline_parallel=(1,), expert_parallel=(1,))
        return SplitChoices(
            tensor_parallel=wanted.tensor_parallel or DEFAULT_TENSOR_PARALLEL,
            pipeline_parallel=wanted.pipeline_parallel or DEFAULT_PIPELINE_PARALLEL,
            expert_parallel=wanted.expert_parallel or DEFAULT_EXPERT_PARALLEL,
        )

    def serving(self, pool: Pool, form: Format, split: Split) -> Serving:
        """The question for one card, format and split."""
        frame = Frame(
            model=self.request.model.architecture,
            precision=form.precision,
            quantization=form.quantization,
            split=split,
            card=CardFacts(memory_bytes=pool.gpu.memory_bytes, name=pool.gpu.name),
        )
        wish = replace(self.wish, cache=form.cache)
        return resolved_serving(frame, wish, self.stock, Notes())

    def loads(self, cards: CardClass, form: Format, split: Split) -> tuple[Need, ...]:
        """Need of each stage beside its weights; shared by all cards of the same defaults."""
        held = ceil_div(self.concurrency, split.data)
        shape = (split.tensor, split.pipeline, split.expert, held)
        key = (shape, form.precision.id, form.cache.id, id(cards.room.batch))
        found = self._loads.get(key)
        if found is None:
            self.evaluated += 1
            serving = self.serving(cards.pools[0], form, split)
            found = self._loads[key] = loads_beside_weights(serving)
        return found

    def weights(self, form: Format, split: Split) -> tuple[Amount, ...]:
        """Weights of each stage, the same on every card."""
        key = (split.tensor, split.pipeline, split.expert, form.precision.id, form.quantization)
        found = self._weights.get(key)
        if found is None:
            placement = Placement(
                model=self.request.model.architecture,
                precision=form.precision,
                quantization=form.quantization,
                split=split,
            )
            found = weight_loads(placement, self.wish.engine, self.profile)
            self._weights[key] = found
        return found

    def need(self, cards: CardClass, form: Format, split: Split) -> Heaviest:
        """What the heaviest stages take; shared by all cards of the same defaults."""
        key = (id(form.quantization), form.precision.id, form.cache.id, id(cards.room.batch), split)
        found = self._needs.get(key)
        if found is None:
            loads, weights = self.loads(cards, form, split), self.weights(form, split)
            found = self._needs[key] = heaviest(weights, loads, self.request.risk)
        return found

    @property
    def profile(self) -> Profile:
        """The engine's profile of the version in question."""
        return self.wish.engine.profile(self.wish.engine_version)

    def headroom_bytes(self, cards: CardClass, form: Format, split: Split) -> int:
        """Bytes left on the fullest card of an arrangement. [B]"""
        need, memory = self.need(cards, form, split), cards.room.memory_bytes
        engine, share = self.wish.engine, self.wish.memory_utilization
        if share is None:
            share = self.profile.memory_utilization
            share = usable_share(engine.policy, share, need.outside_high, memory)
        kept = int(self.request.limits.min_headroom * memory)
        offer = serving_offer(self.profile, memory, share)
        return min(left_bytes(engine.policy, offer, one) for one in need.sides) - kept

    def ways(self, cards: CardClass, form: Format) -> tuple[tuple[Split, ...], ...]:
        """At index n every way to use exactly n cards of a class."""
        room, model = cards.room, self.request.model.architecture
        ground = Ground(
            cards_per_node=room.cards_per_node,
            max_nodes=room.max_nodes,
            max_cards=room.max_cards,
            is_mig=room.is_mig,
        )
        splits = divisible_splits(model, form.quantization, self.split_choices)
        return ways_by_count(splits, ground, min(self.concurrency, room.max_cards))

    def least_bytes(self, form: Format) -> tuple[int, int]:
        """What any arrangement holds at least: weights in all, and the cache of one sequence. [B]

        Holds when:  no split loses a byte of the model, and every sequence is held somewhere.
        """
        key = (form.precision.id, form.quantization.id, form.cache.id)
        found = self._least.get(key)
        if found is None:
            model = self.request.model.architecture
            sums = weight_sums(model, form.quantization, form.precision, 1, 1)
            sequence = least_sequence_bits(model, self.wish.context_tokens or 1, form.cache.bits)
            weights = stage_weight_bytes(model, sums, stages(model, 1)[0])
            found = self._least[key] = (weights, bytes_of_bits(sequence))
        return found

    def least_cards(self, cards: CardClass, form: Format) -> int:
        """No fewer cards can hold the weights and every sequence.

        n ≥ (M_w + S · M_s) / (u · M)

        M_w  weights   S  sequences   M_s  cache of one   u · M  what the engine takes of a card
        """
        weights, sequence = self.least_bytes(form)
        needed = weights + self.concurrency * sequence
        return max(1, ceil_div(needed, int(cards.room.memory_bytes * self.largest_share)))

    @property
    def largest_share(self) -> float:
        """The largest part of a card that the engine may take for itself."""
        share = self.wish.memory_utilization or self.profile.memory_utilization
        return largest_share(self.wish.engine.policy, share)

    def series(self, cards: CardClass, form: Format) -> Series:
        """What every number of cards takes; shared by all cards of the same defaults and node."""
        room = cards.room
        key = (
            (form.precision.id, form.quantization.id, form.cache.id, id(room.batch)),
            (room.cards_per_node, room.max_nodes, room.max_cards, room.is_mig),
        )
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = Series(ways=self.ways(cards, form))
        return found

    def held_bytes(self, cards: CardClass, form: Format, split: Split) -> int:
        """Smaller cards than this do not do for a way. [B]

        M ≥ max(I + O, I / u)

        I, O  inside and outside the engine's budget   u  the largest share that it takes
        """
        need = self.need(cards, form, split)
        return max(need.whole, int(need.inside / self.largest_share))

    def fewest(self, cards: CardClass, form: Format) -> Fit | None:
        """The arrangement of fewest cards that fits; None where none does within the limits.

        Counts are tried upwards from the bound of `least_cards`; a count of which every way holds
        more than the card has is passed over, and only the others are judged.
        """
        room, series = cards.room, self.series(cards, form)
        for count in range(self.least_cards(cards, form), room.max_cards + 1):
            floor = series.floors.get(count)
            if floor is None:
                needs = (self.held_bytes(cards, form, way) for way in series.ways[count])
                floor = series.floors[count] = min(needs, default=NEVER_BYTES)
            if floor > room.memory_bytes:
                continue
            for split in series.ways[count]:
                if self.held_bytes(cards, form, split) > room.memory_bytes:
                    continue
                left = self.headroom_bytes(cards, form, split)
                if left >= 0:
                    return Fit(cards=cards, format=form, split=split, headroom_bytes=left)
        return None

    def nearest(self, cards: CardClass, form: Format, count: int) -> Fit | None:
        """Of all arrangements on exactly so many cards, the one that misses least."""
        found = (
            Fit(
                cards=cards,
                format=form,
                split=split,
                headroom_bytes=self.headroom_bytes(cards, form, split),
            )
            for split in self.series(cards, form).ways[count]
        )
        return max(found, key=lambda one: one.headroom_bytes, default=None)
