"""A plain server: weights, cache, one step's activations, context and communicators."""

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
from service.domain.profiles import GenericProfile, by_ranks
from service.domain.questions import Serving
from service.domain.results import Value
from service.domain.units import bytes_of_gib


def profile_of(serving: Serving) -> GenericProfile:
    """The profile's constants."""
    return serving.profile_as(GenericProfile)


def logits(serving: Serving) -> int:
    """Logits of the last token of every sequence, in fp32. [B]"""
    copies = profile_of(serving).logit_copies
    return round(copies * serving.step_sequences * serving.model.vocabulary_size * FP32_BYTES)


def activations(serving: Serving, stage: Stage) -> int:
    """Peak of a step: the larger of the logits and one block, and the experts' workspace. [B]

    M_a = max(k·n·V·4, F) + W

    k  copies of the logits   n  sequences of a step   V  vocabulary
    F  peak of one block   W  experts' workspace

    Holds when:  prefill is chunked; attention is a flash kernel.
    Source:      no engine in particular; copies from the profile.
    Checked by:  one sequence of V 128,256, two copies: 1 MiB.
    """
    profile = profile_of(serving)
    block = block_peak(serving, profile.width_copies, profile.hidden_copies)
    return max(logits(serving) if serving.samples(stage) else 0, block) + expert_workspace(serving)


def activation_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the peak."""
    return {
        "logits_bytes": logits(serving) if serving.samples(stage) else 0,
        "expert_workspace_bytes": expert_workspace(serving),
        "max_sequences": serving.step_sequences,
        "max_batched_tokens": serving.step_tokens,
        "vocabulary": serving.model.vocabulary_size,
    }


def communication(serving: Serving, stage: Stage) -> int:
    """Buffers between tensor-parallel ranks. [B]

    M_c = table(t)

    t  tensor-parallel ranks

    Holds when:  cards of one node.
    Source:      aiconfigurator `systems/*.yaml`: NCCL 342 to 392 MiB a card.
    Checked by:  one rank: nothing.
    """
    del stage
    return bytes_of_gib(by_ranks(profile_of(serving).communicator_gib, serving.split.tensor))


def runtime(serving: Serving, stage: Stage) -> int:
    """CUDA context and libraries. [B]

    M_r = constant

    Holds when:  nothing else runs on the card.
    Source:      published logs: 0.4 to 0.6 GiB.
    Checked by:  0.5 GiB.
    """
    del stage
    return bytes_of_gib(profile_of(serving).context_gib)


GENERIC = EngineModel(
    weights=checkpoint,
    terms=(
        weights_form(),
        KV_CACHE,
        RECURRENT_STATE,
        TermForm(
            name="activations",
            expected=activations,
            values=activation_values,
            formula="max(k*n*V*4, T*(x*I/t + y*h)*2) + expert workspace",
            provenance="assumed",
            source="logit_copies",
        ),
        communication_form(communication),
        runtime_form(runtime, "constant"),
        DRAFT_MODEL,
        LORA_ADAPTERS,
    ),
    pool=UNIFORM_POOL,
)
