"""Plans as reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from service.domain.costs import Cost
from service.domain.hardware import Price
from service.domain.nodes import Taken
from service.domain.physics import Throughput
from service.domain.plan_results import Option, Plan
from service.presentation.estimates import (
    budget_view,
    limits_view,
    model_facts_view,
    per_card_view,
)
from service.presentation.plan_words import alternative_rows, plan_words
from service.presentation.rendering import Report
from service.presentation.sheets.fields import Row
from service.presentation.sheets.plan_fields import PLAN_COLUMNS, PLAN_FIELDS, plan_lines
from service.presentation.words import money


def option_view(option: Option) -> dict[str, Any]:
    """An option in the contract's shape."""
    view = {
        "gpu": option.gpu.id,
        "cards": option.cards,
        "nodes": option.nodes,
        "cards_per_node": option.cards_per_node,
        "tensor_parallel": option.tensor_parallel,
        "pipeline_parallel": option.pipeline_parallel,
        "data_parallel": option.data_parallel,
        "expert_parallel": option.expert_parallel,
        "placement": placement_view(option.placement) or None,
        "stages": [asdict(stage) for stage in option.stages] or None,
        "sharding": option.sharding,
        "training": asdict(option.training) if option.training else None,
        "host_bytes": option.host_bytes or None,
        "precision": option.precision,
        "quantization": option.quantization,
        "kv_cache_precision": option.kv_cache_precision,
        "quality": {"rank": option.quality_rank, "loss": option.quality_loss},
        "per_card": per_card_view(option.per_card),
        "card": budget_view(option.card),
        "headroom_bytes": option.headroom_bytes,
        "limits": limits_view(option.limits),
        "hourly_usd": money(option.hourly_usd),
        "power_watts": option.power_watts,
        "launch": {"command": option.launch},
        "short_by_bytes": option.short_by_bytes or None,
        "throughput": throughput_view(option.throughput),
        "cost": cost_view(option.cost),
    }
    return {key: value for key, value in view.items() if value is not None}


def placement_view(placement: tuple[Taken, ...]) -> list[dict[str, Any]]:
    """Which nodes are used, and how many cards on each."""
    return [{"node": one.node, "cards": one.cards, "gpu": one.gpu} for one in placement]


def cost_view(found: Cost | None) -> dict[str, Any] | None:
    """Money in US dollars, with the prices that it is worked out from."""
    if found is None:
        return None
    named = {"rental": found.rental, "purchase": found.purchase}
    view = {
        "currency": "USD",
        "billed_cards": found.billed_cards,
        "hourly_usd": money(found.hourly_usd),
        "monthly_usd": money(found.monthly_usd),
        "purchase_usd": money(found.purchase_usd),
        "purchase_usd_to": money(found.purchase_usd_to),
        "energy_kwh_per_month": money(found.energy_kwh_per_month),
        "energy_usd_per_month": money(found.energy_usd_per_month),
        "break_even_months": money(found.break_even_months),
        "prices": {name: price_view(price) for name, price in named.items() if price} or None,
    }
    return {key: value for key, value in view.items() if value is not None}


def price_view(price: Price) -> dict[str, Any]:
    """A price of one card with its date and source; the date is null where the source has none."""
    view = {"kind": price.kind, "usd": money(price.usd), "usd_to": money(price.usd_to)}
    known = {key: value for key, value in view.items() if value is not None}
    return {**known, "date": price.date, "source": price.source}


def throughput_view(found: Throughput | None) -> dict[str, Any] | None:
    """Upper bounds on speed, labelled so."""
    if found is None:
        return None
    return {
        "bound": "upper",
        "tokens_per_second_per_user": round(found.tokens_per_second_per_user, 2),
        "tokens_per_second": round(found.tokens_per_second, 2),
        "first_token_ms": round(found.first_token_ms, 2),
        "requests_per_second": round(found.requests_per_second, 4),
        "limited_by": found.limited_by,
    }


def plan_view(plan: Plan) -> dict[str, Any]:
    """A plan in the contract's shape."""
    best, missed = plan.recommendation, plan.nearest_miss
    return {
        "model": model_facts_view(plan.model),
        "objective": plan.objective,
        "recommendation": option_view(best) if best else None,
        "alternatives": [option_view(option) for option in plan.alternatives],
        "frontier": [option_view(option) for option in plan.frontier],
        "matrix": [
            {"gpu": gpu, "quantization": name, "cards": cards}
            for row in plan.matrix
            for gpu in row.gpus
            for name, cards in row.cards.items()
        ],
        "nearest_miss": option_view(missed) if missed else None,
        "rejected": [
            {key: value for key, value in asdict(row).items() if value is not None}
            for row in plan.rejected
        ],
        "advice": [asdict(entry) for entry in plan.advice],
        **({"sensitivity": asdict(plan.sensitivity)} if plan.sensitivity else {}),
        "assumptions": [asdict(note) for note in plan.assumptions],
        "warnings": [asdict(caution) for caution in plan.warnings],
    }


def plan_report(plan: Plan, versions: Mapping[str, str]) -> Report:
    """A plan in data, words and rows."""
    return Report(
        data={**plan_view(plan), **versions},
        summary=plan_words(plan),
        rows=tuple(Row(PLAN_FIELDS.reads, line) for line in plan_lines(plan)),
        columns=PLAN_COLUMNS,
        shown=alternative_rows(plan),
        fits=plan.recommendation is not None,
    )
