"""The fields of a plan: what is bought, how it is laid out, what it holds and what it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.domain.costs import Cost
from service.domain.hardware import Gpu, Price
from service.domain.physics import Throughput
from service.domain.plan_results import Option, Plan
from service.domain.units import ceil_div
from service.presentation.plan_words import headline
from service.presentation.sheets.fields import (
    LIMITS,
    MEASURED,
    Cell,
    Fields,
    Need,
    Read,
    headroom_percent,
    limit,
    measured_fields,
)
from service.presentation.words import money

PLAN_COLUMNS = (
    "cards",
    "gpu",
    "nodes",
    "billed_cards",
    "precision",
    "quantization",
    "kv_cache_precision",
    "tensor_parallel",
    "pipeline_parallel",
    "data_parallel",
    "expert_parallel",
    "sharding",
    "required_gib",
    "available_gib",
    "headroom_percent",
    "hourly_usd",
    "monthly_usd",
    "purchase_usd",
    "power_watts",
    "price_date",
    "price_source",
    "servers",
    "cards_per_server",
    "unit_hourly_usd",
    "unit_purchase_usd",
    "purchase_price_date",
    "purchase_price_source",
    "energy_usd_per_month",
    "required_mib",
    "headroom_mib",
)
"""Columns of a plan as CSV; new ones are only ever added at the end."""

UNDATED = "unknown"
"""What stands for the date of a price whose source names none."""

ROW_COLUMNS = ("fits", *PLAN_COLUMNS, "short_by_gib", "summary")
"""Columns of a plan that is one row among others."""

ALIASES: Mapping[str, str] = {
    "headroom_pct": "headroom_percent",
    "power_w": "power_watts",
    "price": "purchase_usd",
    "unit_price": "unit_purchase_usd",
    "total": "purchase_usd",
    "total_usd": "purchase_usd",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanLine:
    """A plan and one of its options; without one where nothing fits."""

    plan: Plan
    option: Option | None


def best_line(plan: Plan) -> PlanLine:
    """A plan as one row."""
    return PlanLine(plan=plan, option=plan.recommendation)


def plan_lines(plan: Plan) -> tuple[PlanLine, ...]:
    """The recommendation and the alternatives."""
    best = (plan.recommendation,) if plan.recommendation else ()
    return tuple(PlanLine(plan=plan, option=one) for one in (*best, *plan.alternatives))


def need(line: PlanLine) -> Need | None:
    """The fullest card of the option."""
    option = line.option
    if option is None:
        return None
    return Need(per_card=option.per_card, card=option.card, headroom_bytes=option.headroom_bytes)


def missing_bytes(line: PlanLine) -> int | None:
    """What the nearest option lacks on a card where nothing fits."""
    missed = line.plan.nearest_miss
    return missed.short_by_bytes if missed and line.option is None else None


def servers(option: Option) -> int:
    """Whole servers that hold the cards that have to be bought."""
    per_server = option.gpu.cards_per_node or option.cards_per_node or 1
    billed = option.cost.billed_cards if option.cost else option.cards
    return max(option.nodes, ceil_div(billed, per_server))


def hourly(option: Option) -> Cell:
    """Rent of an hour of all cards."""
    return money(option.cost.hourly_usd if option.cost else option.hourly_usd)


def of_option(read: Callable[[Option], Cell]) -> Read[PlanLine]:
    """A field of the option."""
    return lambda line: None if line.option is None else read(line.option)


def of_cost(read: Callable[[Cost], Cell]) -> Read[PlanLine]:
    """A field of what the option costs."""
    return of_option(lambda option: read(option.cost) if option.cost else None)


def of_speed(read: Callable[[Throughput], Cell]) -> Read[PlanLine]:
    """An upper bound on the option's speed."""
    return of_option(lambda option: read(option.throughput) if option.throughput else None)


def of_price(
    priced: Callable[[Gpu], Price | None], read: Callable[[Price], Cell]
) -> Read[PlanLine]:
    """A field of a price of one card."""

    def field(option: Option) -> Cell:
        price = priced(option.gpu)
        return read(price) if price else None

    return of_option(field)


def dated(price: Price) -> str:
    """When a price was seen."""
    return price.date or UNDATED


def plain(name: str) -> Read[PlanLine]:
    """A field that the option has by this name."""
    return of_option(lambda option: getattr(option, name))


def limited(name: str) -> Read[PlanLine]:
    """How far the option could grow."""
    return of_option(lambda option: limit(option.limits, name))


PLAIN = (
    "cards", "nodes", "cards_per_node", "precision", "quantization", "kv_cache_precision",
    "tensor_parallel", "pipeline_parallel", "data_parallel", "expert_parallel", "sharding",
    "quality_rank", "quality_loss", "power_watts", "launch",
)  # fmt: skip
READS: Mapping[str, Read[PlanLine]] = {
    **{name: plain(name) for name in PLAIN},
    **{name: limited(name) for name in LIMITS},
    **measured_fields(need, missing_bytes),
    "model": lambda line: line.plan.model.name,
    "objective": lambda line: line.plan.objective,
    "fits": lambda line: line.option is not None,
    "gpu": of_option(lambda option: option.gpu.id),
    "gpu_name": of_option(lambda option: option.gpu.name),
    "availability": of_option(lambda option: option.gpu.availability),
    "headroom_percent": lambda line: headroom_percent(need(line)),
    "servers": of_option(servers),
    "cards_per_server": of_option(lambda option: option.gpu.cards_per_node),
    "billed_cards": of_cost(lambda cost: cost.billed_cards),
    "hourly_usd": of_option(hourly),
    "monthly_usd": of_cost(lambda cost: money(cost.monthly_usd)),
    "purchase_usd": of_cost(lambda cost: money(cost.purchase_usd)),
    "purchase_usd_to": of_cost(lambda cost: money(cost.purchase_usd_to)),
    "energy_kwh_per_month": of_cost(lambda cost: money(cost.energy_kwh_per_month)),
    "energy_usd_per_month": of_cost(lambda cost: money(cost.energy_usd_per_month)),
    "break_even_months": of_cost(lambda cost: money(cost.break_even_months)),
    "unit_hourly_usd": of_price(lambda gpu: gpu.rental, lambda price: money(price.usd)),
    "price_date": of_price(lambda gpu: gpu.rental, dated),
    "price_source": of_price(lambda gpu: gpu.rental, lambda price: price.source),
    "unit_purchase_usd": of_price(lambda gpu: gpu.purchase, lambda price: money(price.usd)),
    "purchase_price_date": of_price(lambda gpu: gpu.purchase, dated),
    "purchase_price_source": of_price(lambda gpu: gpu.purchase, lambda price: price.source),
    "tokens_per_second_per_user": of_speed(
        lambda speed: round(speed.tokens_per_second_per_user, 2)
    ),
    "tokens_per_second": of_speed(lambda bound: round(bound.tokens_per_second, 2)),
    "first_token_ms": of_speed(lambda bound: round(bound.first_token_ms, 2)),
    "summary": lambda line: headline(line.plan),
}
PLAN_FIELDS: Fields[PlanLine] = Fields(
    reads=READS, columns=PLAN_COLUMNS, aliases=ALIASES, measured=MEASURED
)
