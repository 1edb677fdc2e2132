"""What an engine runs on which card: refusals with the rule, and warnings."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Architecture, Output
from service.domain.engine import CachePrecision, Engine, Support
from service.domain.errors import InvalidRequest
from service.domain.feed_forward import MixtureOfExperts
from service.domain.hardware import Gpu
from service.domain.precision import Precision, Quantization, laid_out
from service.domain.profiles import Profile
from service.domain.questions import Serving, Split
from service.domain.results import Caution
from service.domain.sums import sparse_attention, widths

ANY_HARDWARE = "any"
BASE_KERNELS = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


def hardware_class(engine: Engine, gpu: Gpu) -> str | None:
    """The engine's class of a card; None where the engine does not know the hardware."""
    return engine.hardware.get(gpu.hardware_key, engine.hardware.get(ANY_HARDWARE))


def _support(table_name: str, key: str, engine: Engine, gpu: Gpu) -> Support:
    table = engine.runs if table_name == "runs" else engine.caches
    hardware = hardware_class(engine, gpu)
    if hardware is None:
        return Support(path=None, reason=f"{engine.name} does not run on {gpu.architecture}")
    row = table.get(key)
    if row is None:
        return Support(path=None, reason=f"{engine.name} has no support for {key}")
    found = row.get(hardware, row.get(ANY_HARDWARE))
    if found is None:
        return Support(path=None, reason=f"{engine.name} does not run {key} on {gpu.architecture}")
    return found


def kernel_support(engine: Engine, gpu: Gpu, quantization: Quantization) -> Support:
    """What the engine does with a quantization on a card."""
    return _support("runs", quantization.kernel, engine, gpu)


def on_card(
    engine: Engine, profile: Profile, gpu: Gpu | None, quantization: Quantization
) -> Quantization:
    """The quantization in the layout of the kernel that this version runs on a card."""
    layouts = profile.kernel_layouts.get(quantization.kernel)
    layout = layouts.get(hardware_class(engine, gpu) or "") if layouts and gpu else None
    return laid_out(quantization, layout) if layout else quantization


def sparse_cache(
    engine: Engine, profile: Profile, gpu: Gpu | None, model: Architecture
) -> str | None:
    """The type of cache that `auto` means for sparse attention on a card; None where none is set.

    Source: SGLang 0.5.5 `srt/server_args.py` to 0.5.23 `srt/arg_groups/overrides.py`: fp8 on
    compute capability 10.0 and newer, for DeepSeek V3.2 and GLM 5.
    """
    if not profile.sparse_caches or gpu is None or sparse_attention(model) is None:
        return None
    return profile.sparse_caches.get(hardware_class(engine, gpu) or "")


def base_support(engine: Engine, gpu: Gpu, precision: Precision) -> Support:
    """What the engine does with plain values of a precision on a card."""
    kernel = BASE_KERNELS.get(precision.id)
    if kernel is None:
        return Support(path=None, reason=f"{engine.name} does not compute in {precision.id}")
    return _support("runs", kernel, engine, gpu)


def cache_support(engine: Engine, gpu: Gpu, cache: CachePrecision) -> Support:
    """What the engine does with a type of cache on a card."""
    return _support("caches", cache.id, engine, gpu)


def indivisible(model: Architecture, quantization: Quantization, split: Split) -> str | None:
    """Why a model cannot be split so; None where it can.

    Source: vLLM `config/model.py`, verify_with_parallel_config (heads), and the group of packed
    columns of row-parallel layers.
    """
    tensor = split.tensor
    if model.output == "latents" and split.ranks > 1:
        return "a diffusion model is not split over cards; use data_parallel for replicas"
    if model.layer_count < split.pipeline:
        return f"{model.layer_count} layers do not fill {split.pipeline} pipeline stages"
    for kind in model.layer_kinds:
        for mixer in kind.mixers:
            if mixer.shard_limit % tensor:
                return f"{mixer.shard_limit} heads or channels are not divisible by {tensor}"
    if tensor > 1 and quantization.group > 1:
        return _cut_group(model, quantization, tensor, split.expert)
    return None


def _cut_group(
    model: Architecture, quantization: Quantization, tensor: int, expert: int
) -> str | None:
    for kind in model.layer_kinds:
        for entry in kind.tensors():
            if entry.cut != "columns" or not quantization.packs(entry):
                continue
            columns = entry.sharded(tensor, expert).columns
            if columns * tensor != entry.columns and entry.kind != "expert":
                return f"{entry.columns} columns of {entry.name} are not divisible by {tensor}"
            if columns % quantization.group and columns != entry.columns:
                return (
                    f"{entry.name} has {entry.columns} columns; {tensor} shards of {columns} cut "
                    f"through groups of {quantization.group}"
                )
    return None


def refuse_unsupported(serving: Serving, gpu: Gpu | None) -> None:
    """Refuse a placement that the engine cannot run, naming the rule and the field."""
    reason = indivisible(serving.model, serving.quantization, serving.split)
    if reason:
        raise InvalidRequest("placement.tensor_parallel", reason)
    reason = indivisible_experts(serving.model, serving.split)
    if reason:
        raise InvalidRequest("placement.expert_parallel", reason)
    if gpu is None:
        return
    if gpu.is_mig and serving.split.ranks > 1:
        raise InvalidRequest("placement.tensor_parallel", "MIG slices cannot be combined")
    checks = (
        ("precision", base_support(serving.engine, gpu, serving.precision)),
        ("quantization", kernel_support(serving.engine, gpu, serving.quantization)),
        ("workload.kv_cache_precision", cache_support(serving.engine, gpu, serving.cache)),
    )
    for field, support in checks:
        if support.path is None and not (field == "precision" and serving.engine.kind == "generic"):
            raise InvalidRequest(field, f"{support.reason} ({gpu.id})")


def indivisible_experts(model: Architecture, split: Split) -> str | None:
    """Why a model's experts cannot be spread so; None where they can."""
    if split.expert == 1:
        return None
    experts = [
        part.experts
        for kind in model.layer_kinds
        for part in kind.feed_forwards
        if isinstance(part, MixtureOfExperts)
    ]
    if not experts:
        return "the model has no experts to spread"
    if min(experts) < split.expert:
        return f"{min(experts)} experts do not fill {split.expert} ranks"
    ranks = split.tensor * split.data
    if ranks % split.expert:
        return f"{split.expert} does not divide tensor x data parallel ranks ({ranks})"
    return None


def cautions(serving: Serving, gpu: Gpu | None) -> tuple[Caution, ...]:
    """Warnings about a placement that runs."""
    found = []
    if serving.model.shape_is_assumed:
        found.append(
            Caution(
                code="assumed-shape",
                message="only the size is known: cache and activations follow a typical shape; "
                "give the model's config for exact figures",
            )
        )
    if gpu is not None:
        support = kernel_support(serving.engine, gpu, serving.quantization)
        if support.path != "native" and serving.quantization.quantizes:
            found.append(
                Caution(
                    code="weight-only",
                    message=f"{serving.quantization.id} runs on {gpu.id} without native support: "
                    "it saves memory, not computation",
                )
            )
    found.extend(output_cautions(serving.model))
    found.extend(Caution(code="model-note", message=note) for note in serving.model.notes)
    return tuple(found)


OUTPUT_CAUTIONS: Mapping[Output, Caution] = {
    "vectors": Caution(
        code="pooling-model",
        message="the model yields vectors or classes, not tokens: nothing is sampled",
    ),
    "scores": Caution(
        code="pooling-model",
        message="the model scores every place of its input and does not generate: no cache, "
        "nothing is sampled",
    ),
    "latents": Caution(
        code="weights-only",
        message="a part of a diffusion pipeline: only its weights are counted, not the "
        "activations, which grow with image or video size, nor the pipeline's other parts; "
        "context and concurrency do not change the answer",
    ),
}


SOURCE_CAUTION = Caution(
    code="encoder-decoder",
    message="the source text is taken to be as long as the context: the decoder keeps keys and "
    "values of both; the encoder's own activations are not counted",
)


def output_cautions(model: Architecture) -> tuple[Caution, ...]:
    """What a caller who expects a text generator should know about a model that is none."""
    if any(tower.modality == "text" for tower in model.towers):
        return (SOURCE_CAUTION,)
    found = OUTPUT_CAUTIONS.get(model.output)
    if found is not None:
        return (found,)
    if not model.shape_is_assumed and not widths(model).query_width:
        return (Caution(code="no-attention", message="the model has no attention cache"),)
    return ()
