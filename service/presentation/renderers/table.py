"""All systems that a plan can be written for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.domain.hardware import Gpu
from service.domain.plan_results import Plan
from service.presentation.renderers.dra import dra
from service.presentation.renderers.dstack import dstack
from service.presentation.renderers.engines import engine_line
from service.presentation.renderers.kubernetes import kubernetes
from service.presentation.renderers.kueue import kueue
from service.presentation.renderers.leaderworkerset import leaderworkerset
from service.presentation.renderers.mig import mig
from service.presentation.renderers.ray import ray
from service.presentation.renderers.skypilot import skypilot
from service.presentation.renderers.slurm import slurm
from service.presentation.renderers.training import accelerate, deepspeed, torchrun
from service.presentation.renderers.work import Work, work_of


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """How a plan is written for a system, and how its files end."""

    render: Callable[[Work], str]
    suffix: str


SYSTEMS: Mapping[str, System] = {
    "kubernetes": System(render=kubernetes, suffix="yaml"),
    "leaderworkerset": System(render=leaderworkerset, suffix="yaml"),
    "kueue": System(render=kueue, suffix="yaml"),
    "dra": System(render=dra, suffix="yaml"),
    "mig": System(render=mig, suffix="yaml"),
    "slurm": System(render=slurm, suffix="sh"),
    "ray": System(render=ray, suffix="yaml"),
    "skypilot": System(render=skypilot, suffix="yaml"),
    "dstack": System(render=dstack, suffix="yaml"),
    "vllm": System(render=engine_line("vllm"), suffix="sh"),
    "sglang": System(render=engine_line("sglang"), suffix="sh"),
    "tensorrt-llm": System(render=engine_line("tensorrt-llm"), suffix="sh"),
    "llama.cpp": System(render=engine_line("llama.cpp"), suffix="sh"),
    "torchrun": System(render=torchrun, suffix="sh"),
    "accelerate": System(render=accelerate, suffix="yaml"),
    "deepspeed": System(render=deepspeed, suffix="json"),
}


def render(
    name: str, plan: Plan, gpus: Mapping[str, Gpu], versions: Mapping[str, str]
) -> tuple[str, str]:
    """A plan as a system's own input, and a name for the file.

    Raises: CannotRender with the reason where the system has no words for the plan.
    """
    work, system = work_of(plan, gpus, versions), SYSTEMS[name]
    return system.render(work), f"{work.name}.{system.suffix}"
