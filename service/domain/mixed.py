"""Plans whose pipeline stages stand on different kinds of cards, where that takes fewer of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import combinations

from service.domain.candidates import DEFAULT_MAX_CARDS, Format
from service.domain.deals import Deals, Path
from service.domain.errors import InvalidRequest
from service.domain.judging import serving_budget, stage_need
from service.domain.launches import serving_launch
from service.domain.mixes import DEAL_VARIABLES, kinds, refuse_mixed
from service.domain.nodes import (
    MixedStage,
    Taken,
    groups_in,
    placement,
)
from service.domain.options import DEFAULT_RANK_LOSS
from service.domain.plan_results import Option, Plan, Rejection
from service.domain.proof import shortfall
from service.domain.requests import Pool
from service.domain.results import Caution, PerCard
from service.domain.search import Search
from service.domain.serving_terms import serving_terms
from service.domain.ways import divisible_splits, split_of

FEWEST_MIXED = 2
MOST_JUDGED = 20_000
MIXED = Caution(
    code="mixed-cards",
    message="stages stand on different cards: the slowest sets the pace, and every stage is filled "
    "before the next, so the last may hold little",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A deal that fits, with the kinds of card that it is dealt to."""

    form: Format
    deals: Deals
    path: Path
    kinds: tuple[Pool, ...]

    @property
    def stages(self) -> tuple[tuple[int, int, int], ...]:
        """Kind, first and last layer of every stage."""
        starts = (0, *(stop for _, stop in self.path))
        return tuple((kind, starts[i], stop) for i, (kind, stop) in enumerate(self.path))


def forms(search: Search, able: tuple[Pool, ...]) -> list[tuple[Format, tuple[Pool, ...]]]:
    """Formats with the kinds of card that run them, least loss of quality first."""
    runs: dict[tuple[str, str, str], tuple[Format, set[str]]] = {}
    for cards in search.classes:
        for form in cards.formats:
            key = (form.quantization.id, form.precision.id, form.cache.id)
            runs.setdefault(key, (form, set()))[1].update(pool.gpu.id for pool in cards.pools)
    ranked = sorted(runs.items(), key=lambda entry: (entry[1][0].quality_rank, entry[0]))
    return [
        (form, tuple(pool for pool in able if pool.gpu.id in gpus)) for _, (form, gpus) in ranked
    ]


def fewest(search: Search, below: int) -> Found | None:
    """The fewest cards, fewer than `below`, over which some deal fits: all are tried in order.

    Raises: InvalidRequest where that is too much work.
    """
    listed, judged = forms(search, kinds(search)), 0
    for cards in range(FEWEST_MIXED, below):
        for form, able in listed:
            for mix, deals in all_mixes(search, form, able, cards):
                path = deals.deal()
                if path is not None:
                    return Found(form=form, deals=deals, path=path, kinds=mix)
                judged += deals.judged
                if judged > MOST_JUDGED:
                    raise InvalidRequest(
                        "allow_mixed",
                        f"more than {MOST_JUDGED} stages to judge; name choices.quantizations or "
                        "choices.tensor_parallel",
                    )
    return None


def all_mixes(
    search: Search, form: Format, able: tuple[Pool, ...], cards: int
) -> Iterator[tuple[tuple[Pool, ...], Deals]]:
    """Deals over every choice of kinds: a kind left out does not bound the others' share."""
    for count in range(1, len(able) + 1):
        for mix in combinations(able, count):
            for deals in all_deals(search, form, mix, cards):
                yield mix, deals


def all_deals(search: Search, form: Format, able: tuple[Pool, ...], cards: int) -> Iterator[Deals]:
    """Every split over exactly so many cards that they may hold, fewest stages first."""
    model, choices = search.request.model.architecture, search.split_choices
    least = search.workload.least_weight_bytes(form)
    splits = divisible_splits(model, form.quantization, choices)
    for split in sorted(splits, key=lambda one: one.pipeline):
        tensor, pipeline = split.tensor, split.pipeline
        if split.ranks != cards or pipeline == 1 or split.expert > 1:
            continue
        slots = tuple(min(pipeline, groups_in(pool.shape, tensor)) for pool in able)
        memories = tuple(pool.free_memory_bytes or 0 for pool in able)
        offered = [m for m, count in zip(memories, slots, strict=True) for _ in range(count)]
        if sum(sorted(offered)[-pipeline:]) * tensor < least or len(offered) < pipeline:
            continue
        smallest = min(able, key=lambda pool: pool.gpu.memory_bytes)
        yield Deals(
            serving=search.serving(smallest, form, split_of(tensor, pipeline, 1, 1)),
            risk=search.request.risk,
            memories=memories,
            totals=tuple(pool.gpu.memory_bytes for pool in able),
            slots=slots,
            wanted_share=search.wish.memory_utilization,
            kept=search.request.limits.min_headroom,
        )


def mixed_stages(found: Found) -> tuple[MixedStage, ...]:
    """Every stage with its node, in order."""
    tensor = found.deals.serving.split.tensor
    used = Counter(kind for kind, _ in found.path)
    places = {
        kind: iter([
            node.name
            for node, cards in placement(found.kinds[kind].nodes, count, tensor)
            for _ in range(cards // tensor)
        ])
        for kind, count in used.items()
    }
    return tuple(
        MixedStage(
            gpu=found.kinds[kind].gpu.id,
            node=next(places[kind]),
            cards=tensor,
            layers=stop - start,
            headroom_bytes=found.deals.headroom_bytes(kind, start, stop),
        )
        for kind, start, stop in found.stages
    )


def mixed_option(search: Search, found: Found) -> Option:
    """The full answer for a deal; its terms and budget are those of the fullest stage."""
    deals, form, stages = found.deals, found.form, mixed_stages(found)
    serving, split = deals.serving, deals.serving.split
    fullest = min(range(len(stages)), key=lambda place: stages[place].headroom_bytes)
    kind, start, stop = found.stages[fullest]
    need = stage_need(serving, deals.stage(fullest, start, stop))
    offer = deals.offer(kind)
    held = Counter((stage.node, stage.gpu) for stage in stages)
    variable = f"{DEAL_VARIABLES[serving.engine.id]}={dealt(stages)}"
    return Option(
        gpu=found.kinds[kind].gpu,
        cards=split.cards,
        nodes=len({stage.node for stage in stages}),
        cards_per_node=max(held.values()) * split.tensor,
        tensor_parallel=split.tensor,
        pipeline_parallel=split.pipeline,
        data_parallel=1,
        expert_parallel=1,
        precision=form.precision.id,
        quantization=form.quantization.id,
        kv_cache_precision=form.cache.id,
        quality_rank=form.quality_rank,
        quality_loss=form.quantization.quality_loss if form.quality_rank else DEFAULT_RANK_LOSS,
        per_card=PerCard(terms=serving_terms(serving, need.stage), stage=fullest),
        card=serving_budget(serving, need.need, found.kinds[kind].gpu.id, offer, deals.risk),
        headroom_bytes=stages[fullest].headroom_bytes,
        limits=None,
        hourly_usd=hourly_usd(found),
        power_watts=power_watts(found),
        starts=(serving_launch(search.request.model.name, serving, deals.share, variable),),
        placement=tuple(
            Taken(node=node, cards=count * split.tensor, gpu=gpu)
            for (node, gpu), count in held.items()
        ),
        stages=stages,
    )


def dealt(stages: tuple[MixedStage, ...]) -> str:
    """Layers of every stage as the engine reads them."""
    return ",".join(str(stage.layers) for stage in stages)


def hourly_usd(found: Found) -> Decimal | None:
    """Price of all cards for an hour; None where one is not known."""
    prices = [found.kinds[kind].gpu.hourly_usd for kind, _ in found.path]
    known = [price for price in prices if price is not None]
    tensor = found.deals.serving.split.tensor
    return sum(known, Decimal(0)) * tensor if len(known) == len(prices) else None


def power_watts(found: Found) -> int | None:
    """Board power of all cards; None where one is not known."""
    powers = [found.kinds[kind].gpu.tdp_watts for kind, _ in found.path]
    known = [int(watts) for watts in powers if watts is not None]
    tensor = found.deals.serving.split.tensor
    return sum(known) * tensor if len(known) == len(powers) else None


def with_mixed(search: Search, alike: Plan) -> Plan:
    """The plan with unlike cards in front, where they take fewer cards or nothing else fits.

    Raises: InvalidRequest where the request asks what a plan of unlike cards cannot honour.
    """
    refuse_mixed(search.request, search.wish)
    best = alike.recommendation
    if best is not None and search.request.objective != "fewest-cards":
        return alike
    most = search.request.limits.max_cards or DEFAULT_MAX_CARDS
    found = fewest(search, best.cards if best else most + 1)
    if found is None:
        return alike
    option = mixed_option(search, found)
    return replace(
        alike,
        recommendation=option,
        alternatives=(*((best,) if best else ()), *alike.alternatives)[: search.request.limit],
        nearest_miss=None,
        rejected=(
            *smaller_mixes(option),
            *alike.rejected,
            *(() if best else alone(search, option)),
        ),
        warnings=(*alike.warnings, MIXED),
    )


def smaller_mixes(option: Option) -> Iterator[Rejection]:
    """Why no mix of fewer cards does."""
    if option.cards > FEWEST_MIXED:
        yield Rejection(
            gpu="mixed",
            cards=option.cards - 1,
            quantization=option.quantization,
            reason="memory",
            message=f"no deal of the layers over {option.cards - 1} cards or fewer fits, in any "
            "allowed format, split or mix of kinds",
        )


def alone(search: Search, option: Option) -> Iterator[Rejection]:
    """Why no kind of card does on its own, in the format of a mix."""
    for cards in search.classes:
        for form in cards.formats:
            if form.quantization.id == option.quantization:
                yield shortfall(search, cards, form, max(1, cards.room.max_cards))
