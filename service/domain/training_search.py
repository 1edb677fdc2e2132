"""Fewest cards for each choice of a training plan: needs once a number of cards, then halving."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from service.domain.candidates import bounded
from service.domain.companion_resolving import with_companions
from service.domain.costs import CostRules
from service.domain.errors import InvalidRequest
from service.domain.nodes import Shape, groups_in
from service.domain.questions import Split, TrainingRun
from service.domain.requests import PlanRequest, Pool, Risk, Stock
from service.domain.resolving import Frame, Notes
from service.domain.training_choices import Variant
from service.domain.training_estimate import need_bytes
from service.domain.training_resolving import resolved_training

IN_PIECES = "fsdp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """What decides the number of cards of a pool: room on each, nodes, cards in all."""

    room_bytes: int
    shape: Shape
    most_cards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A choice and the fewest cards that hold it."""

    variant: Variant
    cards: int


def memory_bytes(pool: Pool) -> int:
    """Free memory of a card as inventoried, else its planning figure. [B]"""
    return pool.free_memory_bytes or pool.gpu.planning_bytes


def space(pool: Pool, request: PlanRequest) -> Space:
    """The space of a pool; slices of a card cannot be combined."""
    shape, most = bounded(pool, request.limits)
    memory = memory_bytes(pool)
    return Space(
        room_bytes=memory - int(request.limits.min_headroom * memory),
        shape=shape,
        most_cards=min(1, most) if pool.gpu.is_mig else most,
    )


def fitted_sharding(variant: Variant, data: int) -> str | None:
    """The variant's sharding for so many data ranks: one rank shards only to offload in pieces."""
    if data == 1:
        return (variant.wish.sharding or IN_PIECES) if variant.wish.offload == "all" else "none"
    return variant.wish.sharding or IN_PIECES


def card_counts(variant: Variant, place: Space) -> list[int]:
    """Numbers of cards that a variant can be dealt over, ascending."""
    ranks, wish = variant.ranks, variant.wish
    groups = groups_in(place.shape, variant.tensor)
    most = min(place.most_cards // ranks, groups * variant.tensor // ranks)
    if wish.sharding == "none":
        most = min(1, most)
    whole = wish.global_batch_size
    batch = wish.micro_batch_size or 1
    group = wish.shard_ranks or 1
    return [
        data * ranks
        for data in range(group, most + 1, group)
        if whole is None or whole % (batch * data) == 0
    ]


@dataclass(slots=True, kw_only=True)
class TrainingSearch:
    """One request's runs by variant and number of cards, each computed once."""

    stock: Stock
    frame: Frame
    risk: Risk
    costs: CostRules
    _runs: dict[tuple[Variant, int], TrainingRun] = field(default_factory=dict)
    _needs: dict[tuple[Variant, int], int | None] = field(default_factory=dict)

    @property
    def evaluated(self) -> int:
        """Needs that were computed."""
        return len(self._needs)

    def run(self, variant: Variant, cards: int, notes: Notes | None = None) -> TrainingRun:
        """The run of a variant over so many cards.

        Raises: InvalidRequest where the variant cannot be run on them.
        """
        key = (variant, cards)
        if key not in self._runs or notes is not None:
            data = cards // variant.ranks
            split = Split(
                tensor=variant.tensor,
                pipeline=variant.pipeline,
                data=data,
                expert=variant.expert,
            )
            frame = replace(self.frame, split=split, quantization=variant.quantization)
            wish = replace(variant.wish, sharding=fitted_sharding(variant, data))
            noted = notes or Notes()
            run = resolved_training(frame, wish, self.stock, noted)
            self._runs[key] = with_companions(run, wish, self.stock, noted)
        return self._runs[key]

    def need_bytes(self, variant: Variant, cards: int) -> int | None:
        """Largest phase of the fullest stage at the caller's risk, None where it cannot run. [B]"""
        key = (variant, cards)
        if key not in self._needs:
            try:
                self._needs[key] = need_bytes(self.run(variant, cards), self.risk)
            except InvalidRequest:
                self._needs[key] = None
        return self._needs[key]

    def fits(self, variant: Variant, cards: int, place: Space) -> bool:
        """Whether so many cards hold a variant."""
        need = self.need_bytes(variant, cards)
        return need is not None and need <= place.room_bytes

    def fewest(self, variant: Variant, place: Space, below: int | None = None) -> int | None:
        """Fewest cards of a space that hold a variant, fewer than `below`.

        One replica alone is tried first, because sharding adds buffers; from two on the need
        only falls with every rank.
        """
        numbers = [n for n in card_counts(variant, place) if below is None or n < below]
        if numbers and numbers[0] == variant.ranks:
            if self.fits(variant, numbers[0], place):
                return numbers[0]
            numbers = numbers[1:]
        if not numbers or not self.fits(variant, numbers[-1], place):
            return None
        low, high = 0, len(numbers) - 1
        while low < high:
            middle = (low + high) // 2
            if self.fits(variant, numbers[middle], place):
                high = middle
            else:
                low = middle + 1
        return numbers[low]

    def best_by_method(self, choices: tuple[Variant, ...], place: Space) -> Iterator[Found]:
        """For each method and format the choice with fewest cards, the preferred one of equals."""
        best: dict[tuple[int, str], Found] = {}
        for variant in choices:
            key = (variant.method_rank, variant.quantization.id)
            held = best.get(key)
            cards = self.fewest(variant, place, held.cards if held else None)
            if cards is not None:
                best[key] = Found(variant=variant, cards=cards)
        yield from best.values()

    def leanest(self, choices: tuple[Variant, ...], cards: int, place: Space) -> Found | None:
        """The choice that needs least on so many cards, None where none can be dealt over them."""
        able = (variant for variant in choices if cards in card_counts(variant, place))
        return self._least([Found(variant=variant, cards=cards) for variant in able])

    def nearest(self, choices: tuple[Variant, ...], place: Space) -> Found | None:
        """The choice that needs least, each on as many cards as it can be dealt over."""
        most = ((variant, card_counts(variant, place)) for variant in choices)
        return self._least([Found(variant=v, cards=counts[-1]) for v, counts in most if counts])

    def _least(self, found: list[Found]) -> Found | None:
        needs = [(self.need_bytes(one.variant, one.cards), one) for one in found]
        able = [(need, index) for index, (need, _) in enumerate(needs) if need is not None]
        return needs[min(able)[1]][1] if able else None
