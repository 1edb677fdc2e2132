"""Peaks that vLLM's profile run finds: sampling, the forward pass and the encoder."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Architecture, Stage
from service.domain.engines.peaks import block_peak
from service.domain.engines.vllm.profile import profile_of
from service.domain.engines.vllm.workspaces import kept_workspace
from service.domain.forms import ACTIVATION_BYTES, FP32_BYTES, TermForm
from service.domain.questions import Serving
from service.domain.results import Value
from service.domain.units import GIB, bytes_of_gib


def sampler_peak(serving: Serving) -> int:
    """Peak of sampling on the last stage. [B]

    S = (k + (e - 2)/4)·n·V·4 + a·T·h·e + c

    k  fp32 copies of the logits, of which half a one is their 16-bit form   n  sequences of a step
    V  vocabulary   e  bytes of the model's type, two or more
    a  copies of hidden states       T  tokens of a step        h  hidden size     c  constant

    Holds when:  the profile run samples for all sequences at once.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, _dummy_sampler_run; constants of the profile.
    Checked by:  1,024 sequences of V 128,256 at k 3.618: 1.77 GiB before the hidden states.
    """
    profile = profile_of(serving)
    value_bytes = max(ACTIVATION_BYTES, serving.precision.bits // 8)
    wider = (value_bytes - ACTIVATION_BYTES) / FP32_BYTES
    copies = profile.sampler_copies + wider
    logits = copies * serving.step_sequences * serving.model.vocabulary_size
    hidden = profile.sampler_hidden_copies * serving.step_tokens * serving.model.hidden_size
    return round(logits * FP32_BYTES + hidden * value_bytes + profile.sampler_gib * GIB)


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


def activations(serving: Serving, stage: Stage) -> int:
    """Peak of a step: the larger of sampling and forward pass, and the experts' workspace. [B]

    M_a = max(S, F) + W

    S  peak of sampling (of tokens alone)   F  peak of the forward pass   W  experts' workspace

    Holds when:  the engine profiles its largest step before it sizes the cache.
    Source:      vLLM `v1/worker/gpu_worker.py`, determine_available_memory.
    Checked by:  1,024 sequences of V 128,256 at k 3.618: the sampler's 1.77 GiB lead.
    """
    sampler = sampler_peak(serving) if serving.samples(stage) else 0
    return max(sampler, forward_peak(serving)) + kept_workspace(serving, stage)


def activation_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the peak."""
    return {
        "sampler_bytes": sampler_peak(serving) if serving.samples(stage) else 0,
        "forward_bytes": forward_peak(serving),
        "expert_workspace_bytes": kept_workspace(serving, stage),
        "max_sequences": serving.step_sequences,
        "max_batched_tokens": serving.step_tokens,
        "vocabulary": serving.model.vocabulary_size,
    }


def sees(model: Architecture) -> bool:
    """Whether images or sound are encoded beside the text."""
    return any(tower.modality != "text" for tower in model.towers)


def encoder(serving: Serving, stage: Stage) -> int:
    """Outputs of the encoder that stay while the profile run computes the text. [B]

    M_e = T·h·2 on the first stage

    T  tokens of a step, which bound the encoder's too   h  hidden size

    Holds when:  the profile run encodes as many items as its budget of tokens holds.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, profile_run: encoder_cache["tmp"];
                 `v1/core/encoder_cache_manager.py`, compute_mm_encoder_budget.
    Checked by:  gemma-3-12b, 8,192 tokens of 3,840 values: 60 MiB.
    """
    if not stage.first:
        return 0
    return serving.step_tokens * serving.model.hidden_size * ACTIVATION_BYTES


ENCODER = TermForm(
    name="encoder",
    follows_held=False,
    expected=encoder,
    values=lambda serving, _: {"tokens": serving.step_tokens},
    formula="tokens of a step x hidden size x 2",
    provenance="derived",
    source="vLLM v1/worker/gpu_model_runner.py, profile_run",
    present=lambda serving: sees(serving.model),
)

ACTIVATIONS = TermForm(
    name="activations",
    follows_held=False,
    expected=activations,
    values=activation_values,
    formula="max(k*n*V*4 + a*T*h*2 + c, T*(x*I/t + y*h)*2 + c) + expert workspace",
    provenance="calibrated",
    source="sampler_copies",
)
