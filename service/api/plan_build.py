"""From a validated plan body to the domain's request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from service.api.build import (
    Body,
    Catalogs,
    cache,
    model_facts,
    one_of,
    quantization,
    wish,
)
from service.api.inventory_build import inventory
from service.api.overrides import refuse_open_format, with_overrides
from service.domain.costs import CostRules
from service.domain.errors import InvalidRequest
from service.domain.hardware import Gpu, Price, PriceKind
from service.domain.physics import Efficiency
from service.domain.requests import Choices, PlanLimits, PlanRequest, TargetWish
from service.domain.results import ModelFacts

TRAINING_CHOICES = (
    "methods", "activation_checkpointing", "sharding", "offload", "micro_batch_size",
)  # fmt: skip
OWN_PRICES: Mapping[str, PriceKind] = {"hourly_usd": "typical", "purchase_usd": "purchase"}


def chosen_gpus(catalogs: Catalogs, value: Any) -> tuple[Gpu, ...] | None:
    """Cards by name, alias, group or vendor."""
    if value is None:
        return None
    if isinstance(value, dict):
        vendor = value["vendor"].lower()
        found = tuple(gpu for gpu in catalogs.gpus.cards if gpu.vendor.lower() == vendor)
        if not found:
            known = sorted({gpu.vendor.lower() for gpu in catalogs.gpus.cards})
            raise InvalidRequest("choices.gpus.vendor", f"one of {', '.join(known)}")
        return found
    found = tuple(gpu for name in value for gpu in catalogs.gpus.pick(name))
    return tuple({gpu.id: gpu for gpu in found}.values())


def choices(catalogs: Catalogs, model: ModelFacts, body: Body) -> Choices:
    """What a plan may vary."""
    formats, caches = body.get("quantizations"), body.get("kv_cache_precisions")
    return Choices(
        gpus=chosen_gpus(catalogs, body.get("gpus")),
        quantizations=tuple(
            one_of(catalogs, model, value, f"choices.quantizations.{index}")
            for index, value in enumerate(formats)
        )
        if formats
        else None,
        caches=tuple(cache(catalogs, name) for name in caches) if caches else None,
        tensor_parallel=tuple(body["tensor_parallel"]) if "tensor_parallel" in body else None,
        pipeline_parallel=tuple(body["pipeline_parallel"]) if "pipeline_parallel" in body else None,
        expert_parallel=tuple(body["expert_parallel"]) if "expert_parallel" in body else None,
        **{name: tuple(body[name]) for name in TRAINING_CHOICES if name in body},
    )


def target_wish(body: Body) -> TargetWish:
    """Speed that a plan has to allow."""
    granted = body.get("efficiency")
    plain = {name: value for name, value in body.items() if name != "efficiency"}
    return TargetWish(**plain, efficiency=Efficiency(**granted) if granted else None)


def cost_rules(catalogs: Catalogs, body: Body) -> CostRules:
    """The catalog's rules with the caller's figures."""
    changed = dict(body)
    if "usd_per_kwh" in changed:
        changed["usd_per_kwh"] = Decimal(str(changed["usd_per_kwh"]))
    return replace(catalogs.stock.costs, **changed)


def repriced(catalogs: Catalogs, body: Mapping[str, Body]) -> dict[str, Gpu]:
    """Cards with the caller's own prices in place of the catalog's; a name may be a group."""
    found: dict[str, Gpu] = {}
    for name, row in body.items():
        for gpu in catalogs.gpus.pick(name):
            own = tuple(
                Price(kind=kind, usd=Decimal(str(row[field])), source="the request")
                for field, kind in OWN_PRICES.items()
                if field in row
            )
            rented = "hourly_usd" in row
            kept = (p for p in gpu.prices if (p.kind == "purchase") == rented and len(own) == 1)
            found[gpu.id] = replace(gpu, prices=(*own, *kept))
    return found


def plan_request(catalogs: Catalogs, body: Body) -> PlanRequest:
    """A plan's body."""
    refuse_open_format(body)
    precision, model = body.get("precision"), model_facts(catalogs, body["model"])
    return PlanRequest(
        model=model,
        precision=catalogs.precisions.pick(precision) if precision else None,
        quantization=quantization(catalogs, model, body),
        workload=with_overrides(wish(catalogs, body["workload"]), body),
        choices=choices(catalogs, model, body.get("choices", {})),
        limits=PlanLimits(**body.get("limits", {})),
        inventory=inventory(catalogs, body.get("inventory", ())),
        allow_mixed=body.get("allow_mixed", False),
        objective=body.get("objective", "fewest-cards"),
        risk=body.get("risk", "high"),
        limit=body.get("limit", 10),
        explain=body.get("explain", False),
        answer_only=body.get("answer_only", False),
        targets=target_wish(body["targets"]) if "targets" in body else None,
        repriced=repriced(catalogs, body.get("price_overrides", {})),
        costs=cost_rules(catalogs, body["costs"]) if "costs" in body else None,
    )
