"""TensorRT-LLM: everything else first, then a share of what is left for the cache."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Stage
from service.domain.engines.peaks import block_peak, expert_workspace
from service.domain.engines.plain import communication_form, runtime_form
from service.domain.engines.shared import (
    DRAFT_MODEL,
    KV_CACHE,
    LORA_ADAPTERS,
    UNIFORM_POOL,
    checkpoint,
    weights_form,
)
from service.domain.engines.states import RECURRENT_STATE
from service.domain.forms import FP32_BYTES, EngineModel, TermForm
from service.domain.profiles import TensorrtLlmProfile, by_ranks
from service.domain.questions import Serving
from service.domain.results import Value
from service.domain.units import bytes_of_gib


def profile_of(serving: Serving) -> TensorrtLlmProfile:
    """The version's constants."""
    return serving.profile_as(TensorrtLlmProfile)


def activations(serving: Serving, stage: Stage) -> int:
    """The execution context: one step's activations, logits and the experts' workspace. [B]

    M_a = T·(x·I/t + y·h)·2 + W + k·n·V·4

    T  tokens of the largest step   I  width   t  ranks   h  hidden size   x, y  copies
    W  experts' workspace   k  copies of the logits   n  sequences   V  vocabulary

    Holds when:  padding is removed; proportional to the built number of tokens.
    Source:      TensorRT-LLM docs, memory.md: activations; copies from the profile.
    Checked by:  a 7B model in FP8, 8,192 tokens: 1,134 MiB in a published log.
    """
    profile = profile_of(serving)
    block = block_peak(serving, profile.width_copies, profile.hidden_copies)
    logits = profile.logit_copies * serving.step_sequences * serving.model.vocabulary_size
    return (
        block
        + expert_workspace(serving)
        + round(logits * FP32_BYTES if serving.samples(stage) else 0)
    )


def activation_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the context."""
    return {
        "expert_workspace_bytes": expert_workspace(serving),
        "max_num_tokens": serving.step_tokens,
        "max_batch_size": serving.step_sequences if serving.samples(stage) else 0,
    }


def cuda_graphs(serving: Serving, stage: Stage) -> int:
    """Memory of captured CUDA graphs. [B]

    M_g = n·g

    n  graphs   g  one graph

    Holds when:  graphs are captured for the default batch sizes.
    Source:      TensorRT-LLM pull request 3362: 60 MB a graph.
    Checked by:  20 graphs of 0.056 GiB: 1.12 GiB.
    """
    del stage
    profile = profile_of(serving)
    return bytes_of_gib(profile.graphs * profile.graph_gib)


def communication(serving: Serving, stage: Stage) -> int:
    """Buffers between tensor-parallel ranks. [B]

    M_c = table(t)

    t  tensor-parallel ranks

    Holds when:  cards of one node.
    Source:      aiconfigurator `systems/h200_sxm.yaml`: NCCL 342 to 392 MiB.
    Checked by:  two ranks: 342 MiB.
    """
    del stage
    return bytes_of_gib(by_ranks(profile_of(serving).communicator_gib, serving.split.tensor))


def runtime(serving: Serving, stage: Stage) -> int:
    """CUDA context and libraries. [B]

    M_r = constant

    Holds when:  nothing else runs on the card; with MPI each rank holds as much on the first card.
    Source:      published logs, in the engine's profile.
    Checked by:  half a GiB.
    """
    del stage
    return bytes_of_gib(profile_of(serving).context_gib)


TENSORRT_LLM = EngineModel(
    weights=checkpoint,
    terms=(
        weights_form(),
        KV_CACHE,
        RECURRENT_STATE,
        TermForm(
            name="activations",
            follows_held=False,
            expected=activations,
            values=activation_values,
            formula="T x (x I / t + y h) x 2 + expert workspace + k n V x 4",
            provenance="calibrated",
            source="width_copies",
        ),
        TermForm(
            name="cuda_graphs",
            follows_held=False,
            expected=cuda_graphs,
            values=lambda serving, _: {"graphs": profile_of(serving).graphs},
            formula="graphs x one graph",
            provenance="calibrated",
            source="graph_gib",
            present=lambda serving: serving.cuda_graphs,
        ),
        communication_form(communication),
        runtime_form(runtime, "constant"),
        DRAFT_MODEL,
        LORA_ADAPTERS,
    ),
    pool=UNIFORM_POOL,
)
