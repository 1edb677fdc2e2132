"""Training: torchrun's line, accelerate's configuration, DeepSpeed's configuration."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from service.domain.results import TrainingSetup
from service.presentation.renderers.documents import comments, yaml_text
from service.presentation.renderers.work import CannotRender, Work

ZERO_STAGES: Mapping[str, int] = {"none": 0, "ddp": 0, "zero-1": 1, "zero-2": 2, "zero-3": 3}
RESHARDS: Mapping[str, bool] = {"fsdp": True, "fsdp-no-reshard": False}
MAIN_PORT = 29500


def setup(work: Work) -> TrainingSetup:
    """What the plan chose for a run.

    Raises: CannotRender where the plan is for serving.
    """
    if work.option.training is None:
        raise CannotRender("the plan is for serving; ask with kind=training")
    return work.option.training


def torchrun(work: Work) -> str:
    """The line for each node."""
    setup(work)
    head = list(work.head_lines())
    if work.option.nodes > 1:
        head.append("HEAD is the address of one of the nodes, the same on all")
    if len(work.option.starts) > 1:
        head.append("nodes hold different numbers of cards: each takes the line of its own number")
    return comments(head) + "".join(f"{one.line}\n" for one in work.option.starts)


def mixed_precision(work: Work) -> str:
    """What linear layers compute in, as accelerate names it."""
    regime = setup(work).regime
    if regime == "fp8":
        return "fp8"
    sixteen = {"bfloat16": "bf16", "float16": "fp16"}.get(work.option.precision, "no")
    return sixteen if regime in {"amp", "fp32-master"} else "no"


def refuse_other_parallelism(work: Work, system: str) -> None:
    """Refuse a plan that cuts the model otherwise than over data-parallel ranks.

    Raises: CannotRender.
    """
    option = work.option
    cut = {
        "tensor": option.tensor_parallel,
        "pipeline": option.pipeline_parallel,
        "expert": option.expert_parallel,
    }
    others = [f"{name} parallel {degree}" for name, degree in cut.items() if degree > 1]
    if others or option.cards != option.data_parallel:
        way = " and ".join(others) or "ranks that are not data parallel"
        raise CannotRender(f"the plan has {way}, which {system}'s configuration is not written for")


def accelerate(work: Work) -> str:
    """A configuration for accelerate launch --config_file.

    Raises: CannotRender for other parallelism, and where nodes hold different numbers of cards.
    """
    run = setup(work)
    refuse_other_parallelism(work, "accelerate")
    if len(work.option.starts) > 1:
        raise CannotRender(
            f"accelerate starts as many processes on each machine; {work.option.cards} cards on "
            f"{work.option.nodes} nodes are uneven"
        )
    several = work.option.nodes > 1
    config = {
        "compute_environment": "LOCAL_MACHINE",
        "debug": False,
        **distributed(work, run),
        "downcast_bf16": "no",
        "enable_cpu_affinity": False,
        "machine_rank": 0,
        **({"main_process_ip": "HEAD", "main_process_port": MAIN_PORT} if several else {}),
        "main_training_function": "main",
        "mixed_precision": mixed_precision(work),
        "num_machines": work.option.nodes,
        "num_processes": work.option.cards,
        "rdzv_backend": "static",
        "same_network": True,
        "use_cpu": False,
    }
    head = list(work.head_lines())
    if several:
        head.append("put the first machine's address for HEAD, and machine_rank 0, 1, … on each")
    return yaml_text(head, config)


def distributed(work: Work, run: TrainingSetup) -> dict[str, Any]:
    """How states are shared out: DeepSpeed's ZeRO, FSDP2, copies, or one card."""
    if run.sharding.startswith("zero"):
        return {"distributed_type": "DEEPSPEED", "deepspeed_config": zero_arguments(run)}
    if run.sharding in RESHARDS:
        return {"distributed_type": "FSDP", "fsdp_config": fsdp_arguments(run)}
    return {"distributed_type": "MULTI_GPU" if work.option.cards > 1 else "NO"}


def zero_arguments(run: TrainingSetup) -> dict[str, Any]:
    """ZeRO as accelerate takes it."""
    device = {True: "cpu", False: "none"}
    return {
        "zero_stage": ZERO_STAGES[run.sharding],
        "gradient_accumulation_steps": run.gradient_accumulation,
        "offload_optimizer_device": device[run.offload != "none"],
        "offload_param_device": device[run.offload == "all"],
        "zero3_init_flag": run.sharding == "zero-3",
    }


def fsdp_arguments(run: TrainingSetup) -> dict[str, Any]:
    """FSDP2 as accelerate takes it."""
    if run.offload == "optimizer":
        raise CannotRender("FSDP moves parameters with the optimizer; ask with offload=all or none")
    return {
        "fsdp_version": 2,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_reshard_after_forward": RESHARDS[run.sharding],
        "fsdp_offload_params": run.offload == "all",
        "fsdp_activation_checkpointing": run.activation_checkpointing in {"full", "offloaded"},
        "fsdp_state_dict_type": "SHARDED_STATE_DICT",
        "fsdp_cpu_ram_efficient_loading": True,
    }


def deepspeed(work: Work) -> str:
    """A configuration for deepspeed.initialize; checkpointing and optimizer are the program's.

    Raises: CannotRender where states are shared out by FSDP, or otherwise cut.
    """
    run = setup(work)
    if run.sharding not in ZERO_STAGES:
        raise CannotRender(
            f"the plan shards with {run.sharding}; ask with sharding=zero-3 for DeepSpeed's way"
        )
    refuse_other_parallelism(work, "DeepSpeed")
    ranks = work.option.data_parallel
    config = {
        "train_micro_batch_size_per_gpu": run.micro_batch_size,
        "gradient_accumulation_steps": run.gradient_accumulation,
        "train_batch_size": run.micro_batch_size * run.gradient_accumulation * ranks,
        **number_format(work, run),
        "zero_optimization": zero_section(run),
    }
    return json.dumps(config, indent=2) + "\n"


def number_format(work: Work, run: TrainingSetup) -> dict[str, Any]:
    """The 16-bit format that parameters are kept in; DeepSpeed adds the fp32 master copy.

    Raises: CannotRender for a regime that DeepSpeed does not run.
    """
    if run.regime == "fp32":
        return {}
    if run.regime != "fp32-master":
        raise CannotRender(
            f"DeepSpeed keeps fp32 master weights beside 16-bit ones; the plan is for regime "
            f"{run.regime}: ask with regime=fp32-master"
        )
    name = "fp16" if work.option.precision == "float16" else "bf16"
    return {name: {"enabled": True}}


def zero_section(run: TrainingSetup) -> dict[str, Any]:
    """The stage and what lies on the host."""
    found: dict[str, Any] = {"stage": ZERO_STAGES[run.sharding]}
    if run.offload != "none":
        found["offload_optimizer"] = {"device": "cpu"}
    if run.offload == "all":
        found["offload_param"] = {"device": "cpu"}
    return found
