"""Peaks of one step that engines share: the experts' workspace and the widest block."""

from __future__ import annotations

from service.domain.forms import ACTIVATION_BYTES
from service.domain.questions import Serving
from service.domain.sums import widths
from service.domain.units import ceil_div


def expert_workspace(serving: Serving) -> int:
    """Workspace of the fused expert kernels, which stays. [B]

    W = T·k·(max(2·I/t, h) + I/t)·2

    T  tokens of a step   k  experts a token   I  width of an expert   h  hidden size   t  ranks

    Holds when:  the engine runs the fused Triton kernels.
    Source:      vLLM `model_executor/layers/fused_moe/fused_moe.py`, workspace shapes.
    Checked by:  Qwen3-30B-A3B, T 8,192: 8,192 · 8 · (2,048 + 768) · 2 = 0.34 GiB.
    """
    part, split = widths(serving.model), serving.split
    width = ceil_div(part.expert_width, 1 if split.expert > 1 else split.tensor)
    elements = max(2 * width, serving.model.hidden_size) + width
    return serving.step_tokens * part.experts_per_token * elements * ACTIVATION_BYTES


def block_peak(serving: Serving, width_copies: float, hidden_copies: float) -> int:
    """Peak of one block's forward pass over a step's tokens. [B]

    F = T·(x·I/t + y·h)·2

    T  tokens of a step   I  width of the dense feed-forward   t  tensor ranks   h  hidden size
    x, y  copies that live at once

    Holds when:  prefill is chunked to T tokens and attention is a flash kernel.
    Source:      copies from the engine's profile.
    Checked by:  Llama 3.1 8B, T 8,192, x = y = 3: 8,192 · (43,008 + 12,288) · 2 = 0.84 GiB.
    """
    width = ceil_div(widths(serving.model).dense_width, serving.split.tensor)
    copies = width_copies * width + hidden_copies * serving.model.hidden_size
    return round(serving.step_tokens * copies * ACTIVATION_BYTES)
