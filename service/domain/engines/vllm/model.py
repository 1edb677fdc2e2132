"""vLLM: it profiles its largest step before it sizes the cache, within a share of the card."""

from __future__ import annotations

from dataclasses import replace

from service.domain.architecture import Stage, counts
from service.domain.engines.shared import DRAFT_MODEL, KV_CACHE, LORA_ADAPTERS, weights_form
from service.domain.engines.states import RECURRENT_STATE
from service.domain.engines.vllm.gaps import FRAGMENTATION
from service.domain.engines.vllm.graphs import CUDA_GRAPHS
from service.domain.engines.vllm.peaks import ACTIVATIONS, ENCODER
from service.domain.engines.vllm.pool import POOL, state_blocks, token_blocks
from service.domain.engines.vllm.profile import profile_of
from service.domain.engines.vllm.weights import weights
from service.domain.engines.vllm.workspaces import ATTENTION_WORKSPACE
from service.domain.forms import EngineModel, TermForm
from service.domain.profiles import by_ranks
from service.domain.questions import Serving
from service.domain.results import Side
from service.domain.units import bytes_of_gib


def kv_cache(serving: Serving, stage: Stage) -> int:
    """Blocks of every token of every running sequence. [B]

    M_kv = S · M_s

    S  sequences that one replica holds at once   M_s  blocks of one sequence's tokens

    Holds when:  all sequences reach the context's length.
    Source:      see the blocks of one sequence.
    Checked by:  Llama 3.1 8B, bf16, one sequence of 8,192: 1 GiB.
    """
    return serving.sequences * token_blocks(serving, stage, serving.context_tokens)


def recurrent_state(serving: Serving, stage: Stage) -> int:
    """Blocks of every running sequence's states. [B]

    M_r = S · M_1

    S  sequences that one replica holds at once   M_1  blocks of one sequence's states

    Holds when:  each running sequence has one slot.
    Source:      see the pool: a state is padded to a page of tokens.
    Checked by:  a state of 2,146,304 B beside 2,048 B a token takes pages of 2,162,688 B.
    """
    return serving.sequences * state_blocks(serving, stage)


def communication(serving: Serving, stage: Stage) -> int:
    """Allocated outside torch while loading and profiling: kernels' workspaces, NCCL buffers. [B]

    M_c = table(t)

    t  tensor-parallel ranks

    Holds when:  cards of one node; two nodes have been seen to take half a GiB more.
    Source:      engine logs, per version and rank count, in the engine's profile.
    Checked by:  vLLM 0.19, two H100: 2.06 to 2.11 GiB.
    """
    del stage
    profile = profile_of(serving)
    table = profile.non_torch_gib if serving.large_links else profile.non_torch_plain_gib
    return bytes_of_gib(by_ranks(table, serving.split.tensor))


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
    table = profile.context_gib if serving.large_links else profile.context_plain_gib
    gib = by_ranks(table, serving.split.ranks)
    if counts(serving.model).mixture and serving.split.ranks > 1:
        gib += profile.expert_context_gib
    return bytes_of_gib(gib)


def runtime_side(serving: Serving) -> Side:
    """Inside the share in the V0 engine; on top of it in V1, which measures from a base line."""
    return "inside" if profile_of(serving).context_in_budget else "before"


VLLM = EngineModel(
    weights=weights,
    terms=(
        weights_form(weights, "; tables of rotary positions, layouts of kernels"),
        replace(KV_CACHE, expected=kv_cache),
        replace(RECURRENT_STATE, expected=recurrent_state),
        ACTIVATIONS,
        ENCODER,
        CUDA_GRAPHS,
        TermForm(
            name="communication",
            follows_held=False,
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
            follows_held=False,
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
        ATTENTION_WORKSPACE,
        FRAGMENTATION,
        DRAFT_MODEL,
        LORA_ADAPTERS,
    ),
    pool=POOL,
)
