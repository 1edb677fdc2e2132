"""Peaks of one step of an engine: sampling, the forward pass, the experts' workspace."""

from __future__ import annotations

from service.domain.questions import Serving
from service.domain.sums import widths
from service.domain.units import GIB, ceil_div

FP32_BYTES = 4
ACTIVATION_BYTES = 2


def sampler_peak_bytes(serving: Serving) -> int:
    """Peak of sampling on the last stage. [B]

    S = k·n·V·4 + a·T·h·2 + c

    k  fp32 copies of the logits     n  sequences of a step     V  vocabulary
    a  copies of hidden states       T  tokens of a step        h  hidden size     c  constant

    Holds when:  the profile run samples for all sequences at once.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, _dummy_sampler_run; constants of the profile.
    Checked by:  1,024 sequences of V 128,256 at k 3.618: 1.77 GiB before the hidden states.
    """
    profile = serving.profile
    logits = profile.sampler_copies * serving.step_sequences * serving.model.vocabulary_size
    hidden = profile.sampler_hidden_copies * serving.step_tokens * serving.model.hidden_size
    return round(logits * FP32_BYTES + hidden * ACTIVATION_BYTES + profile.sampler_gib * GIB)


def forward_peak_bytes(serving: Serving) -> int:
    """Peak of one block's forward pass over a step's tokens. [B]

    F = T·(x·I/t + y·h)·2 + c

    T  tokens of a step   I  width of the dense feed-forward   t  tensor ranks   h  hidden size
    x, y  copies that live at once   c  constant

    Holds when:  prefill is chunked to T tokens and attention is a flash kernel.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, profile_run; constants of the profile.
    Checked by:  Llama 3.1 8B, T 8,192, x = y = 3: 8,192 · (43,008 + 12,288) · 2 = 0.84 GiB.
    """
    profile, part = serving.profile, widths(serving.model)
    width = ceil_div(part.dense_width, serving.split.tensor)
    copies = profile.forward_width_copies * width
    copies += profile.forward_hidden_copies * serving.model.hidden_size
    return round(serving.step_tokens * copies * ACTIVATION_BYTES + profile.forward_gib * GIB)


def expert_workspace_bytes(serving: Serving) -> int:
    """Workspace of the fused expert kernels, which stays. [B]

    W = T·k·(max(2·I/t, h) + I/t)·2

    T  tokens of a step   k  experts a token   I  width of an expert   h  hidden size   t  ranks

    Holds when:  the engine runs the fused Triton kernels.
    Source:      vLLM `model_executor/layers/fused_moe/fused_moe.py`, workspace shapes.
    Checked by:  Qwen3-30B-A3B, T 8,192: 8,192 · 8 · (2,048 + 768) · 2 = 0.34 GiB.
    """
    if not serving.profile.expert_workspace:
        return 0
    part, split = widths(serving.model), serving.split
    width = ceil_div(part.expert_width, 1 if split.expert > 1 else split.tensor)
    elements = max(2 * width, serving.model.hidden_size) + width
    return serving.step_tokens * part.experts_per_token * elements * ACTIVATION_BYTES
