"""vLLM: it profiles its largest step before it sizes the cache, within a share of the card."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Stage, counts
from service.domain.engines.peaks import block_peak, expert_workspace
from service.domain.engines.shared import (
    KV_CACHE,
    LORA_ADAPTERS,
    UNIFORM_POOL,
    checkpoint,
    weights_form,
)
from service.domain.engines.states import RECURRENT_STATE
from service.domain.forms import (
    ACTIVATION_BYTES,
    FP32_BYTES,
    EngineModel,
    TermForm,
)
from service.domain.profiles import VllmProfile, by_ranks
from service.domain.questions import Serving
from service.domain.results import Side, Value
from service.domain.units import GIB, bytes_of_gib


def profile_of(serving: Serving) -> VllmProfile:
    """The version's constants."""
    return serving.profile_as(VllmProfile)


def sampler_peak(serving: Serving) -> int:
    """Peak of sampling on the last stage. [B]

    S = k·n·V·4 + a·T·h·2 + c

    k  fp32 copies of the logits     n  sequences of a step     V  vocabulary
    a  copies of hidden states       T  tokens of a step        h  hidden size     c  constant

    Holds when:  the profile run samples for all sequences at once.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, _dummy_sampler_run; constants of the profile.
    Checked by:  1,024 sequences of V 128,256 at k 3.618: 1.77 GiB before the hidden states.
    """
    profile = profile_of(serving)
    logits = profile.sampler_copies * serving.step_sequences * serving.model.vocabulary_size
    hidden = profile.sampler_hidden_copies * serving.step_tokens * serving.model.hidden_size
    return round(logits * FP32_BYTES + hidden * ACTIVATION_BYTES + profile.sampler_gib * GIB)


def forward_peak(serving: Serving) -> int:
    """Peak of the forward pass. [B]

    F = F_block + c

    F_block  peak of one block over a step's tokens   c  constant of the profile

    Holds when:  the profile run computes a whole step.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, profile_run.
    Checked by:  Llama 3.1 8B, T 8,192, three copies each and 0.06 GiB: 0.90 GiB.
    """
    profile = profile_of(serving)
    block = block_peak(serving, profile.forward_width_copies, profile.forward_hidden_copies)
    return block + bytes_of_gib(profile.forward_gib)


def kept_workspace(serving: Serving) -> int:
    """The experts' workspace, where this version keeps one. [B]"""
    return expert_workspace(serving) if profile_of(serving).expert_workspace else 0


def activations(serving: Serving, stage: Stage) -> int:
    """Peak of a step: the larger of sampling and forward pass, and the experts' workspace. [B]

    M_a = max(S, F) + W

    S  peak of sampling (of tokens alone)   F  peak of the forward pass   W  experts' workspace

    Holds when:  the engine profiles its largest step before it sizes the cache.
    Source:      vLLM `v1/worker/gpu_worker.py`, determine_available_memory.
    Checked by:  1,024 sequences of V 128,256 at k 3.618: the sampler's 1.77 GiB lead.
    """
    sampler = sampler_peak(serving) if serving.samples(stage) else 0
    return max(sampler, forward_peak(serving)) + kept_workspace(serving)


def activation_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the peak."""
    return {
        "sampler_bytes": sampler_peak(serving) if serving.samples(stage) else 0,
        "forward_bytes": forward_peak(serving),
        "expert_workspace_bytes": kept_workspace(serving),
        "max_sequences": serving.step_sequences,
        "max_batched_tokens": serving.step_tokens,
        "vocabulary": serving.model.vocabulary_size,
    }


def cuda_graphs(serving: Serving, stage: Stage) -> int:
    """Memory of captured CUDA graphs. [B]

    M_g = g_0 + g_1·L + g_m·[mixture]

    g_0, g_1, g_m  constants of the profile   L  layers on the stage

    Holds when:  graphs are captured for the engine's default batch sizes.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, capture_model; constants of the profile.
    Checked by:  a dense model of 32 layers at 0.35 + 0.017 a layer: 0.89 GiB.
    """
    profile = profile_of(serving)
    gib = profile.graph_base_gib + profile.graph_layer_gib * stage.layers
    if counts(serving.model).mixture:
        gib += profile.graph_mixture_gib
    return bytes_of_gib(gib)


def graph_side(serving: Serving) -> Side:
    """Inside the share from the version on that reserves graphs before it sizes the cache."""
    return "inside" if profile_of(serving).graphs_in_budget else "beside"


def communication(serving: Serving, stage: Stage) -> int:
    """Allocated outside torch while loading and profiling: kernels' workspaces, NCCL buffers. [B]

    M_c = table(t)

    t  tensor-parallel ranks

    Holds when:  cards of one node; two nodes have been seen to take half a GiB more.
    Source:      engine logs, per version and rank count, in the engine's profile.
    Checked by:  vLLM 0.19, two H100: 2.06 to 2.11 GiB.
    """
    del stage
    return bytes_of_gib(by_ranks(profile_of(serving).non_torch_gib, serving.split.tensor))


def runtime(serving: Serving, stage: Stage) -> int:
    """Used on the card before the model is loaded: CUDA context, libraries, communicators. [B]

    M_r = table(t·p) + expert communicator

    t·p  ranks of a replica

    Holds when:  nothing else runs on the card.
    Source:      engine logs, per rank count, in the engine's profile.
    Checked by:  vLLM on one H100: 0.51 GiB.
    """
    del stage
    profile = profile_of(serving)
    gib = by_ranks(profile.context_gib, serving.split.ranks)
    if counts(serving.model).mixture and serving.split.ranks > 1:
        gib += profile.expert_context_gib
    return bytes_of_gib(gib)


def runtime_side(serving: Serving) -> Side:
    """Inside the share in the V0 engine; on top of it in V1, which measures from a base line."""
    return "inside" if profile_of(serving).context_in_budget else "before"


VLLM = EngineModel(
    weights=checkpoint,
    terms=(
        weights_form(),
        KV_CACHE,
        RECURRENT_STATE,
        TermForm(
            name="activations",
            expected=activations,
            values=activation_values,
            formula="max(k*n*V*4 + a*T*h*2 + c, T*(x*I/t + y*h)*2 + c) + expert workspace",
            provenance="calibrated",
            source="sampler_copies",
        ),
        TermForm(
            name="cuda_graphs",
            expected=cuda_graphs,
            values=lambda _, stage: {"layers": stage.layers},
            formula="base + per layer x layers + mixture",
            provenance="calibrated",
            source="graph_base_gib",
            side=graph_side,
            present=lambda serving: serving.cuda_graphs,
        ),
        TermForm(
            name="communication",
            expected=communication,
            values=lambda serving, _: {
                "tensor_parallel": serving.split.tensor,
                "profile": serving.profile.since,
            },
            formula="table by tensor-parallel ranks and engine version",
            provenance="calibrated",
            source="non_torch_gib",
        ),
        TermForm(
            name="runtime",
            expected=runtime,
            values=lambda serving, _: {
                "ranks": serving.split.ranks,
                "profile": serving.profile.since,
            },
            formula="table by ranks, and the expert communicator of mixtures",
            provenance="calibrated",
            source="context_gib",
            side=runtime_side,
        ),
        LORA_ADAPTERS,
    ),
    pool=UNIFORM_POOL,
)
