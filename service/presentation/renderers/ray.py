"""Ray: an application of Serve LLM, or the scaling of a Train run."""

from __future__ import annotations

import shlex
from typing import Any

from service.presentation.renderers.documents import yaml_text
from service.presentation.renderers.work import CannotRender, Work

SERVED = "vllm"
SIZED = "A100-"


def ray(work: Work) -> str:
    """A file for serve run, or the arguments of a ScalingConfig.

    Raises: CannotRender for engines that Serve LLM does not run.
    """
    return training(work) if work.training else serving(work)


def type_notes(work: Work) -> list[str]:
    """What to say of Ray's name of the card: nodes carry some names only where one sets them."""
    name = work.option.gpu.systems.ray or ""
    if name.startswith(SIZED):
        return [f"Ray labels nodes {SIZED[:-1]} by itself, {name} only where you set it"]
    if name:
        return []
    return [f"Ray's accelerator_type of {work.option.gpu.id} is not known: any card would do"]


def accelerator(work: Work) -> dict[str, Any]:
    """Ray's name of the card (ray.util.accelerators)."""
    name = work.option.gpu.systems.ray
    return {"accelerator_type": name} if name else {}


def serving(work: Work) -> str:
    """An OpenAI-compatible application; a bundle of the placement group for each card."""
    if work.launch.engine != SERVED:
        raise CannotRender(
            f"Ray Serve LLM runs vLLM, and the plan is for {work.launch.engine or 'another engine'}"
        )
    cards = work.cards * work.processes
    config = {
        "model_loading_config": {
            "model_id": work.name,
            "model_source": work.plan.model.name,
        },
        **accelerator(work),
        "deployment_config": {"num_replicas": work.copies},
        "placement_group_config": {"bundles": [{"CPU": 1, "GPU": 1}] * cards},
        "engine_kwargs": engine_arguments(work),
    }
    application = {
        "name": work.name,
        "route_prefix": "/",
        "import_path": "ray.serve.llm:build_openai_app",
        "args": {"llm_configs": [config]},
    }
    return yaml_text([*work.head_lines(), *type_notes(work)], {"applications": [application]})


def engine_arguments(work: Work) -> dict[str, Any]:
    """VLLM's flags as arguments: dashes become underscores, a flag alone is true."""
    found: dict[str, Any] = {}
    for setting, text in work.launch.flags.items():
        flag, *values = shlex.split(text)
        if setting != "data_parallel":
            found[flag.removeprefix("--").replace("-", "_")] = number(values[0]) if values else True
    if work.copies == 1 and work.option.data_parallel > 1:
        found["data_parallel_size"] = work.option.data_parallel
    return found


def number(text: str) -> int | float | str:
    """A value as a number where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def training(work: Work) -> str:
    """One worker a card."""
    config = {
        "num_workers": work.option.cards,
        "use_gpu": True,
        "resources_per_worker": {"GPU": 1},
        "placement_strategy": "PACK",
        **accelerator(work),
    }
    head = [*work.head_lines(), "arguments of ray.train.ScalingConfig", *type_notes(work)]
    return yaml_text(head, {"scaling_config": config})
