"""Deals a model's layers to a pipeline of unlike cards, so that every stage fits its own card."""

from __future__ import annotations

from dataclasses import dataclass, field

from service.domain.architecture import Stage
from service.domain.budgets import Offer, Sides, left_bytes
from service.domain.judging import (
    parts,
    serving_offer,
    sides_of,
    stages_of,
)
from service.domain.questions import Serving
from service.domain.requests import Risk

SHARES = 100
"""Engines are told whole hundredths."""

Path = tuple[tuple[int, int], ...]
"""For every stage its kind of card and the layer where it stops."""


@dataclass(slots=True, kw_only=True)
class Deals:
    """One format and split on some kinds of cards; every run of layers is sized once.

    memories  free bytes of a card of each kind, of `totals` in all
    slots     groups of tensor-parallel cards that there are of each kind
    kept      share of every card that stays free
    """

    serving: Serving
    risk: Risk
    memories: tuple[int, ...]
    totals: tuple[int, ...]
    slots: tuple[int, ...]
    wanted_share: float | None = None
    kept: float = 0.0
    share: float = field(init=False)
    _sides: dict[tuple[int, int], Sides] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Settle one share of the total for all cards: what even stages leave beside it on each.

        u ≤ (M_k - M_out) / T_k

        M_k, T_k  free memory and total of a card of each kind
        """
        serving = self.serving
        outside = max(
            sum(one.amount.high for one in parts(serving, stage) if not one.in_budget)
            for stage in stages_of(serving)
        )
        cards = zip(self.memories, self.totals, strict=True)
        room = min((memory - outside) * SHARES // total for memory, total in cards) / SHARES
        self.share = self.wanted_share or max(0.0, min(serving.memory_utilization, room))

    @property
    def judged(self) -> int:
        """Runs of layers that were sized."""
        return len(self._sides)

    @property
    def layers(self) -> int:
        """Layers of the model."""
        return self.serving.model.layer_count

    def stage(self, index: int, start: int, stop: int) -> Stage:
        """A stage of any layers."""
        first, last = start == 0, stop == self.layers
        return Stage(index=index, start=start, stop=stop, first=first, last=last)

    def headroom_bytes(self, kind: int, start: int, stop: int) -> int:
        """What the layers from `start` to `stop` leave of a card of a kind. [B]"""
        sides = self._sides.get((start, stop))
        if sides is None:
            stage = self.stage(0, start, stop)
            sides = self._sides[start, stop] = sides_of(parts(self.serving, stage), self.risk)
        left = left_bytes(self.serving.engine.policy, self.offer(kind), sides)
        return left - int(self.kept * self.memories[kind])

    def offer(self, kind: int) -> Offer:
        """A card of a kind as the engine takes it: the share of its total, of what is free."""
        memory = self.memories[kind]
        share = self.share * self.totals[kind] / memory
        return serving_offer(self.serving.profile, memory, share)

    def furthest(self, kind: int, start: int, most: int) -> int:
        """The last layer up to `most` that a stage from `start` reaches; `start` where none."""
        low, high = start, most
        while low < high:
            middle = (low + high + 1) // 2
            if self.headroom_bytes(kind, start, middle) >= 0:
                low = middle
            else:
                high = middle - 1
        return low

    def deal(self) -> Path | None:
        """A deal of all layers in which every stage fits; None where there is none.

        R(c) = max over kinds k of furthest(k, R(c - e_k)), stage by stage

        c  cards used of each kind   e_k  one of kind k   R  layers held so far

        Holds when:  a stage of fewer layers never takes more, so reaching further with the same
                     cards never hurts; then the search is exact, whatever the order of the kinds.
        Source:      exchange argument; dynamic programming over the counts of each kind.
        Checked by:  ten equal layers, cards that hold 6 and 4: dealt 6 and 4, or 4 and 6.
        """
        stages = self.serving.split.pipeline
        reached: dict[tuple[int, ...], tuple[int, Path]] = {(0,) * len(self.slots): (0, ())}
        for place in range(stages - 1):
            reached = self.next_stage(reached, self.layers - (stages - place - 1))
        for counts, (start, path) in sorted(reached.items()):
            for kind, slots in enumerate(self.slots):
                if counts[kind] < slots and self.headroom_bytes(kind, start, self.layers) >= 0:
                    return (*path, (kind, self.layers))
        return None

    def next_stage(
        self, reached: dict[tuple[int, ...], tuple[int, Path]], most: int
    ) -> dict[tuple[int, ...], tuple[int, Path]]:
        """The furthest layer with one stage more, for every number of cards of each kind."""
        found: dict[tuple[int, ...], tuple[int, Path]] = {}
        for counts, (start, path) in sorted(reached.items()):
            for kind, slots in enumerate(self.slots):
                if counts[kind] == slots:
                    continue
                stop = self.furthest(kind, start, most)
                used = tuple(held + (place == kind) for place, held in enumerate(counts))
                if stop > start and stop > found.get(used, (0, ()))[0]:
                    found[used] = (stop, (*path, (kind, stop)))
        return found
