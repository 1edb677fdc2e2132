"""One answer of a training plan: a choice on so many cards, in full."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.companions import companion_host_bytes
from service.domain.costs import billed_cards, cost
from service.domain.inventory import taken
from service.domain.judging import at_risk
from service.domain.launches import Launch, training_launch
from service.domain.nodes import Taken
from service.domain.plan_results import Option
from service.domain.questions import TrainingRun
from service.domain.requests import Pool
from service.domain.results import Budget, TrainingLimits, TrainingSetup
from service.domain.training_activations import checkpoint_host_bytes
from service.domain.training_estimate import need_bytes, peak, phase_cards
from service.domain.training_limits import training_limits
from service.domain.training_search import Found, Space, TrainingSearch, memory_bytes
from service.domain.training_sharding import host_bytes
from service.domain.ways import nodes_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """A choice on the fewest cards of a pool."""

    pool: Pool
    place: Space
    found: Found


def training_option(search: TrainingSearch, one: Arrangement, *, grown: bool = False) -> Option:
    """The full answer for a choice on so many cards of a pool; `grown` adds how far it can grow."""
    variant, cards, pool = one.found.variant, one.found.cards, one.pool
    run = search.run(variant, cards)
    phases = phase_cards(run)
    memory = memory_bytes(pool)
    need = max(at_risk(card.amount, search.risk) for card in phases)
    price = pool.gpu.hourly_usd
    watts = pool.gpu.tdp_watts
    nodes = nodes_of(run.split, one.place.shape)
    billed = cards if pool.nodes else billed_cards(pool.gpu, cards, nodes, search.costs)
    return Option(
        gpu=pool.gpu,
        cards=cards,
        nodes=nodes,
        cards_per_node=one.place.shape[0][0],
        tensor_parallel=run.split.tensor,
        pipeline_parallel=run.split.pipeline,
        data_parallel=run.split.data,
        expert_parallel=run.split.expert,
        precision=run.precision.id,
        quantization=run.quantization.id,
        kv_cache_precision=None,
        quality_rank=variant.quality_rank,
        quality_loss=run.quantization.quality_loss if variant.quality_rank else "as released",
        per_card=peak(phases),
        card=Budget(gpu=pool.gpu.id, memory_bytes=memory, budget_bytes=memory, policy="none"),
        headroom_bytes=one.place.room_bytes - need,
        limits=limits(search, run, one) if grown else None,
        hourly_usd=None if price is None else price * cards,
        power_watts=None if watts is None else int(watts) * cards,
        starts=starts(run, one),
        sharding=run.sharding,
        training=setup(run),
        host_bytes=host_bytes(run) + companion_host_bytes(run) + checkpoint_host_bytes(run),
        short_by_bytes=max(0, need - one.place.room_bytes),
        placement=placed(run, one),
        cost=cost(pool.gpu, cards, billed, search.costs),
    )


def starts(run: TrainingRun, one: Arrangement) -> tuple[Launch, ...]:
    """The command on each node: one for each number of cards on a node."""
    nodes = nodes_of(run.split, one.place.shape)
    held = {taken.cards for taken in placed(run, one)} or shares(run, nodes)
    return tuple(training_launch(nodes, cards) for cards in sorted(held, reverse=True))


def shares(run: TrainingRun, nodes: int) -> set[int]:
    """Cards of each of so many equal nodes: whole groups of tensor ranks, spread evenly."""
    tensor = run.split.tensor
    whole, more = divmod(run.split.cards // tensor, nodes)
    return {whole * tensor, (whole + (more > 0)) * tensor}


def placed(run: TrainingRun, one: Arrangement) -> tuple[Taken, ...]:
    """The nodes of an inventory that a run takes."""
    return taken(one.pool, one.found.cards, run.split.tensor, one.place.shape[0][0])


def setup(run: TrainingRun) -> TrainingSetup:
    """What a plan chose for a run."""
    return TrainingSetup(
        method=run.method,
        regime=run.regime,
        optimizer=run.optimizer.id,
        micro_batch_size=run.micro_batch_size,
        gradient_accumulation=run.gradient_accumulation,
        sequence_tokens=run.sequence_tokens,
        activation_checkpointing=run.activation_checkpointing,
        sharding=run.sharding,
        offload=run.offload,
    )


def limits(search: TrainingSearch, run: TrainingRun, one: Arrangement) -> TrainingLimits:
    """How far a run can grow on the cards of an arrangement."""
    return training_limits(run, one.place.room_bytes, lambda grown: need_bytes(grown, search.risk))
