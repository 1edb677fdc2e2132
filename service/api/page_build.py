"""What the page asks of the domain beside a plan."""

from __future__ import annotations

from dataclasses import fields, replace

from service.domain.plan_results import Option, Plan
from service.domain.questions import Split
from service.domain.requests import EstimateRequest, PlanRequest, Stock, TrainingWish
from service.domain.results import TrainingSetup
from service.domain.step import Step, step


def training_step(request: PlanRequest, plan: Plan, stock: Stock) -> Step | None:
    """The step of a plan's training run; None for serving."""
    option = plan.recommendation or plan.nearest_miss
    if option is None or option.training is None or not isinstance(request.workload, TrainingWish):
        return None
    wish = chosen_wish(request.workload, option.training, stock)
    return step(run_request(request, wish, option, stock), wish, stock)


def chosen_wish(wish: TrainingWish, setup: TrainingSetup, stock: Stock) -> TrainingWish:
    """The wish with all that the plan chose."""
    plain = {field.name: getattr(setup, field.name) for field in fields(setup)}
    return replace(wish, **{**plain, "optimizer": stock.optimizers[setup.optimizer]})


def run_request(
    request: PlanRequest, wish: TrainingWish, option: Option, stock: Stock
) -> EstimateRequest:
    """The estimate of one option."""
    return EstimateRequest(
        model=request.model,
        precision=request.precision,
        quantization=stock.quantizations[option.quantization],
        workload=wish,
        split=Split(
            tensor=option.tensor_parallel,
            pipeline=option.pipeline_parallel,
            data=option.data_parallel,
            expert=option.expert_parallel,
        ),
        gpu=option.gpu,
        risk=request.risk,
    )
