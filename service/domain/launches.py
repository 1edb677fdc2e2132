"""How an option is started: settings of a server in its engine's own flags, or a training run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.domain.engine import Starter
from service.domain.questions import Serving

NO_QUANTIZATION = "none"
RENDEZVOUS_PORT = 29500
TRAINING_SCRIPT = "train.py"
SETTINGS = (
    "pooling", "all_layers", "tensor_parallel", "pipeline_parallel", "data_parallel",
    "context_tokens", "all_context_tokens", "max_sequences", "max_batched_tokens",
    "memory_utilization", "precision", "cache", "flash_attention", "expert_parallel",
)  # fmt: skip
"""What an engine can be told, in the order of its command line."""
SIXTEEN_BITS = 16
PLAIN = "._-/:@"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """A command in parts, so that schedulers can put it together anew.

    engine     whose command it is; empty for a training run and for a program of one's own
    program    what is run, with the model's name
    flags      setting -> flag with its value, in order
    script     what the program is given last
    environment  variables before the command
    notes      what a reader has to see to first
    starter    the engine's words for further flags
    """

    engine: str = ""
    program: str = ""
    flags: Mapping[str, str] = field(default_factory=dict)
    script: str = ""
    environment: str = ""
    notes: tuple[str, ...] = ()
    starter: Starter | None = None

    @property
    def line(self) -> str:
        """The command in one line; empty where there is none."""
        if not self.program:
            return ""
        words = (self.environment, self.program, *self.flags.values(), self.script)
        note = "".join(f"  # {text}" for text in self.notes)
        return " ".join(filter(None, words)) + note


def settings(serving: Serving, utilization: float) -> dict[str, object]:
    """What a server is told; None where there is nothing to tell."""
    split, engine = serving.split, serving.engine
    words = engine.launch.cache_words if engine.launch else {}
    pooled = serving.model.output in {"vectors", "scores"}
    return {
        "pooling": True if pooled else None,
        "all_layers": True,
        "tensor_parallel": several(split.tensor),
        "pipeline_parallel": several(split.pipeline),
        "data_parallel": several(split.data),
        "context_tokens": serving.context_tokens,
        "all_context_tokens": serving.context_tokens * serving.max_sequences,
        "max_sequences": serving.max_sequences,
        "max_batched_tokens": serving.max_batched_tokens,
        "memory_utilization": utilization,
        "precision": serving.precision.id,
        "cache": words.get(serving.cache.id),
        "flash_attention": "on" if serving.flash_attention else "off",
        "expert_parallel": several(split.expert),
    }


def several(degree: int) -> int | None:
    """A degree that has to be told."""
    return degree if degree > 1 else None


def serving_launch(name: str, serving: Serving, utilization: float, dealt: str = "") -> Launch:
    """The command that starts an engine so; `dealt` are variables that it needs."""
    starter = serving.engine.launch
    if starter is None or serving.model.output == "latents":
        return Launch()
    told = settings(serving, utilization)
    flags = {
        setting: starter.flags[setting].format(told[setting])
        for setting in SETTINGS
        if setting in starter.flags and told[setting] is not None
    }
    model = "model.gguf" if starter.files else quoted(name)
    return Launch(
        engine=serving.engine.id,
        program=f"{starter.command} {model}",
        flags=flags,
        environment=dealt,
        notes=tuple(filter(None, (file_note(name, serving), *left_out(serving, starter)))),
        starter=starter,
    )


def quoted(name: str) -> str:
    """A model's name as one word of a shell, whatever a caller calls it."""
    if all(letter.isalnum() or letter in PLAIN for letter in name):
        return name
    return "'" + name.replace("'", "'\\''") + "'"


def file_note(name: str, serving: Serving) -> str:
    """Which files to give, where they are not those of the model's own name."""
    chosen, declared = serving.quantization.id, serving.model.declared_quantization
    if serving.engine.launch and serving.engine.launch.files:
        form = serving.precision.id if chosen == NO_QUANTIZATION else chosen
        return f"give the file of {name} in {form}"
    if chosen in {NO_QUANTIZATION, declared.id if declared else ""}:
        return ""
    return f"give a checkpoint quantized to {chosen} in place of the model's name"


def left_out(serving: Serving, starter: Starter) -> tuple[str, ...]:
    """Settings of the plan that the command line has no flag for."""
    found = []
    packed = serving.cache.bits < SIXTEEN_BITS
    if packed and not ("cache" in starter.flags and serving.cache.id in starter.cache_words):
        found.append(f"set the type of the KV cache to {serving.cache.id} in a configuration file")
    if serving.split.data > 1 and "data_parallel" not in starter.flags:
        found.append(f"start {serving.split.data} copies, each on its own cards")
    return tuple(found)


def training_launch(nodes: int, processes: int) -> Launch:
    """The command that starts a run on a node; with several nodes, on each of them."""
    flags = {"nodes": f"--nnodes {nodes}", "processes": f"--nproc-per-node {processes}"}
    if nodes > 1:
        flags["rendezvous"] = f'--rdzv-backend c10d --rdzv-endpoint "$HEAD:{RENDEZVOUS_PORT}"'
    return Launch(program="torchrun", flags=flags, script=TRAINING_SCRIPT)
