"""Search over cards, formats and splits: the fewest cards of each kind that hold a workload."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from service.domain.architecture import stages
from service.domain.engine import BatchDefaults, CachePrecision
from service.domain.hardware import Gpu
from service.domain.judging import StageNeed, at_risk, lowered_share, stage_needs
from service.domain.precision import Precision, Quantization
from service.domain.questions import Serving, Split
from service.domain.requests import PlanRequest, Pool, Risk, ServingWish, Stock
from service.domain.resolving import CardFacts, Frame, Notes, batch_defaults, resolved_serving
from service.domain.rules import indivisible, indivisible_experts
from service.domain.sums import stage_weight_bytes, weight_sums
from service.domain.units import ceil_div

DEFAULT_TENSOR_PARALLEL = (1, 2, 4, 8, 16)
DEFAULT_PIPELINE_PARALLEL = (1, 2, 3, 4, 5, 6, 7, 8)
DEFAULT_EXPERT_PARALLEL = (1,)
DEFAULT_CARDS_PER_NODE = 8
DEFAULT_MAX_CARDS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One card, quantization and cache type that the engine runs together."""

    pool: Pool
    precision: Precision
    quantization: Quantization
    cache: CachePrecision
    memory_bytes: int
    cards_per_node: int
    max_nodes: int
    max_cards: int

    @property
    def gpu(self) -> Gpu:
        """The card."""
        return self.pool.gpu

    @property
    def format_ids(self) -> tuple[str, str, str]:
        """Precision, quantization and cache type."""
        return (self.precision.id, self.quantization.id, self.cache.id)

    @property
    def room(self) -> tuple[int, int, int, int, bool]:
        """What decides how many cards it takes, whatever the card is called."""
        return (
            self.memory_bytes,
            self.cards_per_node,
            self.max_nodes,
            self.max_cards,
            self.gpu.is_mig,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A candidate on so many cards; `headroom_bytes` is negative where it does not fit."""

    candidate: Candidate
    split: Split
    headroom_bytes: int

    @property
    def nodes(self) -> int:
        """Nodes that the replicas take."""
        return nodes_of(self.split, self.candidate.cards_per_node)


def nodes_of(split: Split, cards_per_node: int) -> int:
    """Nodes for all replicas: whole replicas share a node, larger ones take whole nodes."""
    if split.ranks <= cards_per_node:
        return ceil_div(split.data, cards_per_node // split.ranks)
    return split.data * ceil_div(split.ranks, cards_per_node)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSums:
    """Bytes of one stage at the caller's risk: fixed inside the budget, a sequence, and outside."""

    fixed: int
    sequence: int
    outside: int
    outside_high: int


def stage_sums(need: StageNeed, risk: Risk) -> StageSums:
    """Sums of a stage that holds one sequence."""
    return StageSums(
        fixed=at_risk(need.fixed, risk),
        sequence=at_risk(need.cache, risk),
        outside=at_risk(need.outside, risk),
        outside_high=need.outside.high,
    )


@dataclass(slots=True, kw_only=True)
class Search:
    """One request's search; needs are computed once for every setting that they depend on."""

    request: PlanRequest
    wish: ServingWish
    stock: Stock
    evaluated: int = 0
    _needs: dict[tuple[object, ...], tuple[StageSums, ...]] = field(default_factory=dict)
    _splits: dict[tuple[object, ...], tuple[Split, ...]] = field(default_factory=dict)
    _defaults: dict[str, BatchDefaults] = field(default_factory=dict)

    @property
    def concurrency(self) -> int:
        """Sequences wanted over all replicas."""
        return self.wish.concurrency or 1

    def serving(self, candidate: Candidate, split: Split) -> Serving:
        """The question for one candidate and split."""
        frame = Frame(
            model=self.request.model.architecture,
            precision=candidate.precision,
            quantization=candidate.quantization,
            split=split,
            card=CardFacts(memory_bytes=candidate.gpu.memory_bytes, name=candidate.gpu.name),
        )
        wish = replace(self.wish, cache=candidate.cache)
        return resolved_serving(frame, wish, self.stock, Notes())

    def defaults(self, gpu: Gpu) -> BatchDefaults:
        """The engine's batch defaults on a card."""
        if gpu.id not in self._defaults:
            profile = self.wish.engine.profile(self.wish.engine_version)
            facts = CardFacts(memory_bytes=gpu.memory_bytes, name=gpu.name)
            self._defaults[gpu.id] = batch_defaults(profile, facts)
        return self._defaults[gpu.id]

    def sums(self, candidate: Candidate, split: Split) -> tuple[StageSums, ...]:
        """Need of each stage, apart by what grows with the sequences; shared by like cards.

        Cards with the same defaults share one computation, and so do all numbers of replicas
        that hold no more sequences than the engine prepares for by default.
        """
        entry = self.defaults(candidate.gpu)
        held = ceil_div(self.concurrency, split.data)
        key = (
            candidate.precision.id,
            candidate.quantization.id,
            candidate.cache.id,
            (split.tensor, split.pipeline, split.expert),
            entry.min_card_gib,
            max(held, entry.max_sequences),
        )
        if key not in self._needs:
            serving = self.serving(candidate, split)
            one = replace(serving, sequences=1)
            risk = self.request.risk
            self._needs[key] = tuple(stage_sums(need, risk) for need in stage_needs(one))
        return self._needs[key]

    def headroom_bytes(self, candidate: Candidate, split: Split) -> int:
        """Bytes left on the fullest card of an arrangement. [B]"""
        self.evaluated += 1
        sums = self.sums(candidate, split)
        held = ceil_div(self.concurrency, split.data)
        memory = candidate.memory_bytes
        kept = int(self.request.limits.min_headroom * memory)
        if self.wish.engine.policy == "none":
            used = max(one.fixed + held * one.sequence + one.outside for one in sums)
            return memory - used - kept
        inside = max(one.fixed + held * one.sequence for one in sums)
        outside = max(one.outside for one in sums)
        share = self.wish.memory_utilization or self._share(sums, memory)
        budget = int(memory * share)
        return min(budget - inside, memory - budget - outside) - kept

    def _share(self, sums: tuple[StageSums, ...], memory_bytes: int) -> float:
        profile = self.wish.engine.profile(self.wish.engine_version)
        highest = max(one.outside_high for one in sums)
        return lowered_share(profile.memory_utilization, highest, memory_bytes)

    def splits(self, candidate: Candidate) -> tuple[Split, ...]:
        """Splits of one replica that divide the model, fewest ranks first, fewest stages first."""
        key = (
            candidate.quantization.id,
            candidate.gpu.is_mig,
            candidate.max_cards,
            candidate.cards_per_node,
        )
        if key not in self._splits:
            self._splits[key] = tuple(self._possible_splits(candidate))
        return self._splits[key]

    def _possible_splits(self, candidate: Candidate) -> Iterator[Split]:
        choices, model = self.request.choices, self.request.model.architecture
        tensors = (
            (1,) if candidate.gpu.is_mig else choices.tensor_parallel or DEFAULT_TENSOR_PARALLEL
        )
        pipelines = choices.pipeline_parallel or DEFAULT_PIPELINE_PARALLEL
        experts = choices.expert_parallel or DEFAULT_EXPERT_PARALLEL
        pairs = sorted((t * p, p, t, e) for t in tensors for p in pipelines for e in experts)
        for ranks, pipeline, tensor, expert in pairs:
            split = Split(tensor=tensor, pipeline=pipeline, expert=expert)
            if ranks > candidate.max_cards or tensor > candidate.cards_per_node:
                continue
            if candidate.gpu.is_mig and ranks > 1:
                continue
            if indivisible_experts(model, split) is not None:
                continue
            if indivisible(model, candidate.quantization, split) is None:
                yield split

    def weight_bytes(self, candidate: Candidate) -> int:
        """Weights of the whole model in a candidate's format. [B]"""
        model = self.request.model.architecture
        sums = weight_sums(model, candidate.quantization, candidate.precision, 1, 1)
        return stage_weight_bytes(model, sums, stages(model, 1)[0])

    def fewest(self, candidate: Candidate) -> Arrangement | None:
        """The arrangement of fewest cards that fits; None where none does within the limits.

        Splits come in the order of their ranks, and an arrangement never has fewer cards than
        its split has ranks: once a split has as many ranks as the best arrangement has cards,
        no later one can be better. Splits whose cards together are smaller than the weights
        cannot hold them, because no split loses a byte of the model.
        """
        best: Arrangement | None = None
        least = ceil_div(self.weight_bytes(candidate), candidate.memory_bytes)
        for split in self.splits(candidate):
            if split.ranks < least:
                continue
            if best is not None and split.ranks >= best.split.cards:
                break
            found = self._replicated(candidate, split, best.split.cards if best else None)
            if found is not None:
                best = found
        return best

    def _replicated(
        self, candidate: Candidate, split: Split, below: int | None
    ) -> Arrangement | None:
        """The fewest replicas of a split that hold all sequences."""
        most = candidate.max_cards if below is None else min(candidate.max_cards, below - 1)
        most_replicas = min(most // split.ranks, self.concurrency)
        if most_replicas < 1:
            return None
        if self._left(candidate, split, most_replicas) < 0:
            return None
        low, high = 1, most_replicas
        while low < high:
            middle = (low + high) // 2
            if self._left(candidate, split, middle) >= 0:
                high = middle
            else:
                low = middle + 1
        chosen = replace(split, data=low)
        if nodes_of(chosen, candidate.cards_per_node) > candidate.max_nodes:
            return None
        left = self._left(candidate, split, low)
        return Arrangement(candidate=candidate, split=chosen, headroom_bytes=left)

    def _left(self, candidate: Candidate, split: Split, replicas: int) -> int:
        return self.headroom_bytes(candidate, replace(split, data=replicas))

    def nearest(self, candidate: Candidate, cards: int) -> Arrangement | None:
        """Of all arrangements on exactly so many cards, the one that misses least."""
        found = [
            Arrangement(
                candidate=candidate,
                split=replace(split, data=cards // split.ranks),
                headroom_bytes=self._left(candidate, split, cards // split.ranks),
            )
            for split in self.splits(candidate)
            if cards % split.ranks == 0 and cards // split.ranks <= self.concurrency
        ]
        return max(found, key=lambda one: one.headroom_bytes, default=None)
