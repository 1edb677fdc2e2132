"""Workspaces that stay: sparse attention's copy of cached rows, and the fused experts'."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Stage
from service.domain.caches import FP8_BITS
from service.domain.engines.peaks import expert_workspace
from service.domain.engines.vllm.profile import profile_of
from service.domain.forms import ACTIVATION_BYTES, TermForm
from service.domain.questions import Serving
from service.domain.results import Value
from service.domain.sums import sparse_attention
from service.domain.units import ceil_div

SPARSE_KERNEL = "flashmla-sparse"
CONTEXTS = 5
"""Contexts whose rows the workspace holds, a constant of the engine."""


def attention_workspace(serving: Serving, stage: Stage) -> int:
    """Rows in 16 bits that sparse prefill reads in place of the fp8 cache. [B]

    M_a = (5·C + T·a/t)·d·2

    C  longest context   T  tokens of a step   a  heads   t  tensor-parallel ranks
    d  features of a latent row with its rotary key

    Holds when:  FlashMLA's sparse kernels read an fp8 cache; logs count it with the weights.
    Source:      vLLM `v1/attention/backends/mla/flashmla_sparse.py`, get_prefill_workspace_size.
    Checked by:  1,048,576 tokens of 576 features: 5 · 1,048,576 · 576 · 2 = 5.6 GiB.
    """
    del stage
    mixer = sparse_attention(serving.model)
    if mixer is None or SPARSE_KERNEL not in serving.kernels or serving.cache.bits != FP8_BITS:
        return 0
    rows = CONTEXTS * serving.context_tokens
    queries = serving.step_tokens * ceil_div(mixer.heads, serving.split.tensor)
    return (rows + queries) * (mixer.kv_rank + mixer.rope_head_dim) * ACTIVATION_BYTES


def workspace_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the workspace."""
    del stage
    return {"context_tokens": serving.context_tokens, "contexts": CONTEXTS}


def kept_workspace(serving: Serving, stage: Stage) -> int:
    """What the experts need beyond sparse attention's workspace, which they share. [B]

    The kernels that a checkpoint's own format asks for decide; a plain checkpoint has Triton's.

    Source: vLLM `v1/worker/workspace.py`: one buffer, as large as the largest request.
    """
    profile, declared = profile_of(serving), serving.model.declared_quantization
    without = declared is not None and declared.base in profile.formats_without_workspace
    if without or not profile.expert_workspace:
        return 0
    return max(0, expert_workspace(serving) - attention_workspace(serving, stage))


ATTENTION_WORKSPACE = TermForm(
    name="attention_workspace",
    follows_held=False,
    expected=attention_workspace,
    values=workspace_values,
    formula="(5 x context + tokens of a step x heads) x latent row x 2",
    provenance="derived",
    source="attention_workspace",
    present=lambda serving: (
        SPARSE_KERNEL in serving.kernels
        and serving.cache.bits == FP8_BITS
        and sparse_attention(serving.model) is not None
    ),
)
