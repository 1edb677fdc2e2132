"""Training plans: the fewest cards over which sharded states and a micro-batch fit."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from decimal import Decimal

from service.domain.candidates import bounded, pools
from service.domain.errors import InvalidRequest
from service.domain.judging import at_risk
from service.domain.questions import Split, TrainingRun
from service.domain.requests import PlanRequest, Pool, Stock, TrainingWish
from service.domain.resolving import (
    CardFacts,
    Frame,
    Notes,
    resolved_precision,
    resolved_quantization,
)
from service.domain.results import Budget, MatrixRow, Option, PerCard, Plan, Rejection
from service.domain.training_estimate import peak, phase_cards, training_cautions
from service.domain.training_resolving import resolved_training
from service.domain.units import GIB
from service.domain.ways import nodes_of

SHARDED_BY_DEFAULT = "fsdp"
NEVER = Decimal("Infinity")


@dataclass(slots=True, kw_only=True)
class TrainingSearch:
    """One request's runs by number of cards, each computed once."""

    request: PlanRequest
    wish: TrainingWish
    stock: Stock
    frame: Frame
    _cards: dict[int, tuple[TrainingRun, tuple[PerCard, ...]]] = field(default_factory=dict)

    def run(self, cards: int) -> tuple[TrainingRun, tuple[PerCard, ...]]:
        """The run over so many data-parallel ranks, with its phases."""
        if cards not in self._cards:
            sharding = self.wish.sharding
            if cards == 1:
                sharding = "none"
            elif sharding is None:
                sharding = SHARDED_BY_DEFAULT
            run = resolved_training(
                replace(self.frame, split=Split(data=cards)),
                replace(self.wish, sharding=sharding),
                self.stock,
                Notes(),
            )
            self._cards[cards] = (run, phase_cards(run))
        return self._cards[cards]

    def need_bytes(self, cards: int) -> int:
        """Largest phase at the caller's risk. [B]"""
        _, phases = self.run(cards)
        return max(at_risk(card.amount, self.request.risk) for card in phases)

    def fewest(self, pool: Pool) -> int | None:
        """Fewest cards of a pool that hold the run; need falls with every card added after two."""
        most = self.most_cards(pool)
        room = self.room_bytes(pool)
        if most >= 1 and self.need_bytes(1) <= room:
            return 1
        low, high = 2, most
        if high < low or self.need_bytes(high) > room:
            return None
        while low < high:
            middle = (low + high) // 2
            if self.need_bytes(middle) <= room:
                high = middle
            else:
                low = middle + 1
        return low

    def most_cards(self, pool: Pool) -> int:
        """Cards that pool and limits allow, one where the caller rules out any sharding."""
        _, _, most = bounded(pool, self.request.limits)
        return min(1, most) if self.wish.sharding == "none" else most

    def room_bytes(self, pool: Pool) -> int:
        """What a card of the pool offers. [B]"""
        memory = memory_bytes(pool)
        return memory - int(self.request.limits.min_headroom * memory)


def memory_bytes(pool: Pool) -> int:
    """Free memory of a card as inventoried, else its planning figure. [B]"""
    return pool.free_memory_bytes or pool.gpu.planning_bytes


def refuse_serving_choices(request: PlanRequest) -> None:
    """Refuse choices that mean nothing for a run over data-parallel ranks."""
    choices = request.choices
    for name, value in (
        ("quantizations", choices.quantizations),
        ("kv_cache_precisions", choices.caches),
        ("tensor_parallel", choices.tensor_parallel),
        ("pipeline_parallel", choices.pipeline_parallel),
        ("expert_parallel", choices.expert_parallel),
    ):
        if value is not None:
            raise InvalidRequest(
                f"choices.{name}",
                "training plans vary cards only; give quantization at the top for method qlora",
            )


def training_plan(request: PlanRequest, wish: TrainingWish, stock: Stock) -> Plan:
    """The fewest cards on which a training run fits."""
    refuse_serving_choices(request)
    notes = Notes()
    model = request.model.architecture
    quantization = resolved_quantization(
        model, request.quantization, request.precision, stock, Notes()
    )
    if wish.method == "qlora" and request.quantization is None:
        quantization = stock.quantizations["none"]
    frame = Frame(
        model=model,
        precision=resolved_precision(model, request.precision, stock, notes),
        quantization=quantization,
        split=Split(),
        card=CardFacts(memory_bytes=None),
    )
    search = TrainingSearch(request=request, wish=wish, stock=stock, frame=frame)
    resolved_training(frame, replace(wish, sharding="none"), stock, notes)
    allowed = pools(request, stock)
    found = [(pool, cards) for pool in allowed if (cards := search.fewest(pool)) is not None]
    ranked = sorted(found, key=lambda pair: _key(request.objective, *pair))
    options = tuple(training_option(search, pool, cards) for pool, cards in ranked)
    best = ranked[0] if ranked else None
    fewest = dict.fromkeys(pool.gpu.id for pool in allowed) | {p.gpu.id: c for p, c in found}
    run, _ = search.run(best[1] if best else 1)
    return Plan(
        model=request.model,
        workload_kind="training",
        objective=request.objective,
        recommendation=options[0] if options else None,
        alternatives=options[1 : request.limit + 1],
        frontier=training_frontier(options)[: request.limit],
        matrix=tuple(
            MatrixRow(gpus=(gpu,), cards={run.quantization.id: cards})
            for gpu, cards in fewest.items()
        ),
        nearest_miss=None if best else _nearest(search, allowed),
        rejected=_rejected(search, best) if best else (),
        advice=(),
        assumptions=tuple(notes.found),
        warnings=training_cautions(run),
        evaluated=len(found),
    )


def _hourly(pool: Pool, cards: int) -> Decimal | None:
    price = pool.gpu.hourly_usd
    return None if price is None else price * cards


def _key(objective: str, pool: Pool, cards: int) -> tuple[Decimal | int | str, ...]:
    price = _hourly(pool, cards) or NEVER
    memory = memory_bytes(pool)
    first: dict[str, tuple[Decimal | int, ...]] = {
        "lowest-cost": (price,),
        "lowest-power": (Decimal((pool.gpu.tdp_watts or 0) * cards) or NEVER,),
        "least-memory": (memory * cards,),
    }
    return (*first.get(objective, ()), cards, price, memory, pool.gpu.id)


def training_option(search: TrainingSearch, pool: Pool, cards: int) -> Option:
    """The full answer for a run on so many cards."""
    run, phases = search.run(cards)
    per_node, _, _ = bounded(pool, search.request.limits)
    memory, need = memory_bytes(pool), search.need_bytes(cards)
    rank = run.quantization.quality_rank
    watts = pool.gpu.tdp_watts
    return Option(
        gpu=pool.gpu,
        cards=cards,
        nodes=nodes_of(run.split, per_node),
        cards_per_node=per_node,
        tensor_parallel=1,
        pipeline_parallel=1,
        data_parallel=cards,
        expert_parallel=1,
        precision=run.precision.id,
        quantization=run.quantization.id,
        kv_cache_precision=None,
        quality_rank=rank,
        quality_loss=run.quantization.quality_loss if rank else "as released",
        per_card=peak(phases),
        card=Budget(gpu=pool.gpu.id, memory_bytes=memory, budget_bytes=memory, policy="none"),
        headroom_bytes=search.room_bytes(pool) - need,
        limits=None,
        hourly_usd=_hourly(pool, cards),
        power_watts=None if watts is None else int(watts) * cards,
        launch=f"torchrun --nnodes {nodes_of(run.split, per_node)} "
        f"--nproc-per-node {min(cards, per_node)} train.py",
        sharding=run.sharding,
        short_by_bytes=max(0, need - search.room_bytes(pool)),
    )


def training_frontier(options: tuple[Option, ...]) -> tuple[Option, ...]:
    """Options that no other beats in cards and cost together."""
    best: list[Option] = []
    for one in sorted(options, key=lambda o: (o.cards, o.hourly_usd or NEVER, o.gpu.id)):
        price = one.hourly_usd or NEVER
        if all(price < (held.hourly_usd or NEVER) for held in best):
            best.append(one)
    return tuple(best)


def _nearest(search: TrainingSearch, allowed: tuple[Pool, ...]) -> Option | None:
    tries = [(pool, search.most_cards(pool)) for pool in allowed]
    found = [training_option(search, pool, most) for pool, most in tries if most >= 1]
    return min(found, key=lambda one: (one.short_by_bytes, one.gpu.id), default=None)


def _rejected(search: TrainingSearch, best: tuple[Pool, int]) -> tuple[Rejection, ...]:
    pool, cards = best
    rows = []
    for fewer in range(1, cards):
        run, phases = search.run(fewer)
        short = search.need_bytes(fewer) - search.room_bytes(pool)
        term = max(peak(phases).terms, key=lambda one: one.amount.high)
        rows.append(
            Rejection(
                gpu=pool.gpu.id,
                cards=fewer,
                quantization=run.quantization.id,
                reason="memory",
                term=term.name,
                short_by_bytes=short,
                message=f"{fewer} x {pool.gpu.id} with sharding {run.sharding}: short by "
                f"{short / GIB:.2f} GiB a card in phase {peak(phases).phase}; the largest term "
                f"is {term.name}",
            )
        )
    return tuple(rows)
