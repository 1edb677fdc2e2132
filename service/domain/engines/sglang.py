"""SGLang: a static share of what is free holds weights and pool; the rest is left for the step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from service.domain.architecture import Stage
from service.domain.engines.peaks import block_peak, expert_workspace
from service.domain.engines.plain import runtime_form
from service.domain.engines.sglang_pools import POOL, kv_cache, recurrent_state
from service.domain.engines.shared import (
    DRAFT_MODEL,
    KV_CACHE,
    LORA_ADAPTERS,
    checkpoint,
    weights_form,
)
from service.domain.engines.states import RECURRENT_STATE
from service.domain.forms import FP32_BYTES, EngineModel, TermForm, beside
from service.domain.profiles import Profile, SglangProfile, by_ranks
from service.domain.questions import Serving, Split
from service.domain.results import Value
from service.domain.units import GIB, MIB, bytes_of_gib

CARDS_OF_A_RESERVE = 8
"""The reserve for ranks is stated for eight of them."""


def profile_of(serving: Serving) -> SglangProfile:
    """The version's constants."""
    return serving.profile_as(SglangProfile)


def graph_sequences(profile: SglangProfile, memory_bytes: int | None, ranks: int) -> int:
    """Largest batch that graphs are captured for."""
    for entry in profile.graph_batches:
        if (memory_bytes or 0) >= entry.min_card_gib * GIB and ranks >= entry.ranks:
            return entry.sequences
    return profile.graph_batches[-1].sequences


def static_share(profile: Profile, memory_bytes: int | None, tokens: int, split: Split) -> float:
    """The share of free memory for weights and pool, where the caller names none.

    f = (M - R) / M
    R = r_0 + r_c·max(T, T_0) + r_g·n + r_r·ranks/8, at least 10 GiB on large cards

    M  card   T  tokens of a chunk   n  sequences of the largest graph

    Holds when:  no draft model; no attention data parallelism.
    Source:      SGLang 0.5 `srt/server_args.py`, _handle_gpu_memory_settings.
    Checked by:  one H100 of 79.2 GiB: 512 + 12,288 + 512 + 128 MiB are kept, 0.834 are left.
    """
    if not isinstance(profile, SglangProfile) or memory_bytes is None:
        return profile.memory_utilization
    chunk = max(tokens, profile.reserve_chunk_floor)
    graphs = graph_sequences(profile, memory_bytes, split.tensor)
    mib = profile.reserve_mib + profile.reserve_chunk_mib * chunk
    mib += profile.reserve_graph_mib * graphs
    mib += profile.reserve_rank_mib * split.ranks / CARDS_OF_A_RESERVE
    reserve = mib * MIB
    if memory_bytes > profile.large_card_gib * GIB:
        reserve = max(reserve, profile.large_reserve_gib * GIB)
    return round(max(0.1, (memory_bytes - reserve) / memory_bytes), 3)


def activations(serving: Serving, stage: Stage) -> int:
    """What a prefill chunk holds beside the static share. [B]

    M_a = F + W + k·n·V·4

    F  peak of one block   W  experts' workspace   k  copies   n  sequences   V  vocabulary

    Holds when:  prefill is chunked; the engine profiles nothing and trusts its reserve.
    Source:      SGLang `srt/model_executor/model_runner.py`; copies from the profile.
    Checked by:  Llama 3.1 8B, 8,192 tokens, three copies each: 0.84 GiB before the logits.
    """
    profile = profile_of(serving)
    block = block_peak(serving, profile.width_copies, profile.hidden_copies)
    logits = profile.logit_copies * serving.step_sequences * serving.model.vocabulary_size
    return (
        block
        + expert_workspace(serving)
        + round(logits * FP32_BYTES if serving.samples(stage) else 0)
    )


def cuda_graphs(serving: Serving, stage: Stage) -> int:
    """Memory of captured CUDA graphs. [B]

    M_g = g_0 + g_1·L

    g_0, g_1  constants of the profile   L  layers on the stage

    Holds when:  graphs are captured for the default batch sizes.
    Source:      SGLang `srt/model_executor/cuda_graph_runner.py`; constants of the profile.
    Checked by:  32 layers at 1.0 + 0.03 a layer: 1.96 GiB.
    """
    profile = profile_of(serving)
    return bytes_of_gib(profile.graph_base_gib + profile.graph_layer_gib * stage.layers)


def runtime(serving: Serving, stage: Stage) -> int:
    """Used on the card before the weights are loaded: context and distributed start. [B]

    M_r = table(t·p)

    t·p  ranks of a replica

    Holds when:  nothing else runs on the card.
    Source:      published logs, in the engine's profile.
    Checked by:  eight H200: 1.77 to 2.01 GiB.
    """
    del stage
    return bytes_of_gib(by_ranks(profile_of(serving).context_gib, serving.split.ranks))


def activation_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides a chunk's peak."""
    return {
        "expert_workspace_bytes": expert_workspace(serving),
        "chunk_tokens": serving.step_tokens,
        "sequences": serving.step_sequences if serving.samples(stage) else 0,
    }


SGLANG = EngineModel(
    weights=checkpoint,
    terms=(
        weights_form(),
        replace(KV_CACHE, expected=kv_cache),
        replace(RECURRENT_STATE, expected=recurrent_state),
        TermForm(
            name="activations",
            follows_held=False,
            expected=activations,
            values=activation_values,
            formula="T x (x I / t + y h) x 2 + expert workspace + k n V x 4",
            provenance="calibrated",
            source="width_copies",
            side=beside,
        ),
        TermForm(
            name="cuda_graphs",
            follows_held=False,
            expected=cuda_graphs,
            values=lambda _, stage: {"layers": stage.layers},
            formula="base + per layer x layers",
            provenance="calibrated",
            source="graph_base_gib",
            side=beside,
            present=lambda serving: serving.cuda_graphs,
        ),
        runtime_form(runtime, "table by ranks"),
        DRAFT_MODEL,
        LORA_ADAPTERS,
    ),
    pool=POOL,
    share=static_share,
)
