"""Memory terms of serving: every value is whole bytes on the fullest rank of one stage."""

from __future__ import annotations

from service.domain.architecture import Stage, counts
from service.domain.caches import CacheRow
from service.domain.engine import Profile, Spread, by_ranks
from service.domain.questions import Placement, Serving
from service.domain.results import Amount, Term
from service.domain.step_peaks import (
    ACTIVATION_BYTES,
    expert_workspace_bytes,
    forward_peak_bytes,
    sampler_peak_bytes,
)
from service.domain.sums import cache_rows, stage_weight_bytes, weight_sums
from service.domain.units import bytes_of_bits, bytes_of_gib, round_up


def spread_amount(spread: Spread, extra_gib: float = 0.0) -> Amount:
    """A spread in GiB as bytes."""
    return Amount(
        low=bytes_of_gib(spread.low + extra_gib),
        expected=bytes_of_gib(spread.expected + extra_gib),
        high=bytes_of_gib(spread.high + extra_gib),
    )


def weights(serving: Serving, stage: Stage) -> Term:
    """Weights of the stage's blocks and ends on one tensor-parallel rank. [B]

    M_w = Σ_kept n·r·c·b/8 + Σ_packed M_format(r, c)

    n      occurrences of a tensor on the rank
    r, c   its rows and columns on the rank
    b      bits of the base precision
    M_format  bytes of a packed matrix: values, scales and zero points

    Holds when:  the engine keeps the checkpoint's layout; kernels that repack move it by the range.
    Source:      bill of tensors of the config; bits per weight from config/quantizations.yaml.
    Checked by:  Llama 3.1 8B, bf16, one card: 2 · 8,030,261,248 = 16,060,522,496.
    """
    split = serving.split
    return Term(
        name="weights",
        amount=weight_amount(serving, serving.profile, stage),
        formula="sum over tensors of rows x columns x bits / 8, packed tensors with their scales",
        values={
            "parameters": counts(serving.model).parameters,
            "precision_bits": serving.precision.bits,
            "quantization": serving.quantization.id,
            "tensor_parallel": split.tensor,
            "pipeline_parallel": split.pipeline,
            "layers_on_stage": stage.layers,
            "checkpoint_bytes": checkpoint_bytes(serving, stage),
        },
        provenance="assumed" if serving.model.shape_is_assumed else "exact",
        source="the config's bill of tensors; config/quantizations.yaml",
    )


def checkpoint_bytes(placement: Placement, stage: Stage) -> int:
    """Weights of a stage on one rank as the files hold them. [B]"""
    model, split = placement.model, placement.split
    sums = weight_sums(
        model, placement.quantization, placement.precision, split.tensor, split.expert
    )
    return stage_weight_bytes(model, sums, stage)


def weight_amount(placement: Placement, profile: Profile, stage: Stage) -> Amount:
    """Weights of a stage on one rank as the engine loads them. [B]"""
    size, spread = checkpoint_bytes(placement, stage), profile.weights_gib
    return Amount(
        low=size + bytes_of_gib(spread.low),
        expected=size + bytes_of_gib(spread.expected),
        high=size + bytes_of_gib(spread.high),
    )


def sequence_cache_bytes(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """Cache of one sequence of so many tokens on one rank of a stage, in whole blocks. [B]"""
    cache, block = serving.cache, serving.profile.block_tokens
    size = 0
    for row, layers in stage_cache_rows(serving, stage):
        kept = row.rows(round_up(row.resident_tokens(context_tokens, serving.step_tokens), block))
        size += layers * kept * bytes_of_bits(row.elements * (row.bits or cache.bits))
    return size


def stage_cache_rows(serving: Serving, stage: Stage) -> tuple[tuple[CacheRow, int], ...]:
    """Rows that one rank of a stage keeps of every token, and in how many layers."""
    return cache_rows(serving.model, serving.split.tensor, stage.start, stage.stop)


def kv_cache(serving: Serving, stage: Stage) -> Term:
    """Keys and values of every token of every running sequence. [B]

    M_kv = S · Σ_g L_g · c_g(t) · e · ceil(T_g / B) · B

    S    sequences that one replica holds at once
    L_g  layers of group g on the stage
    c_g  elements that the mixer caches for a token on one of t tensor ranks
    e    bytes an element
    T_g  tokens kept: the context, or window - 1 + step tokens for a sliding window
    B    tokens of a block

    Holds when:  the cache is paged; no prefix is shared.
    Source:      vLLM `v1/kv_cache_interface.py`; 2 · L · ceil(kv heads / t) · head_dim · e.
    Checked by:  Llama 3.1 8B, bf16: 128 KiB a token (2 · 32 · 8 · 128 · 2).
    """
    one = sequence_cache_bytes(serving, stage, serving.context_tokens)
    rows = stage_cache_rows(serving, stage)
    assumed = serving.model.shape_is_assumed
    return Term(
        name="kv_cache",
        amount=Amount.exactly(one * serving.sequences)
        if not assumed
        else Amount(
            low=one * serving.sequences // 4,
            expected=one * serving.sequences,
            high=one * serving.sequences * 4,
        ),
        formula="sequences x sum over layers of elements x bytes x tokens in whole blocks",
        values={
            "sequences": serving.sequences,
            "context_tokens": serving.context_tokens,
            "bits_per_element": serving.cache.bits,
            "elements_per_token": sum(row.elements * layers for row, layers in rows),
            "sliding_layers": sum(n for row, n in rows if row.window_tokens),
            "layers": sum(layers for _, layers in rows),
            "block_tokens": serving.profile.block_tokens,
        },
        provenance="assumed" if assumed else "exact",
        source="vLLM v1/kv_cache_interface.py; shapes from the config",
    )


def activations(serving: Serving, stage: Stage) -> Term:
    """Peak of a step: the larger of sampling and forward pass, and the experts' workspace. [B]

    M_a = max(S, F) + W

    S  peak of sampling (last stage only)   F  peak of the forward pass   W  experts' workspace

    Holds when:  the engine profiles its largest step before it sizes the cache.
    Source:      vLLM `v1/worker/gpu_worker.py`, determine_available_memory.
    Checked by:  1,024 sequences of V 128,256 at k 3.618: the sampler's 1.77 GiB lead.
    """
    profile = serving.profile
    sampler = sampler_peak_bytes(serving) if stage.last else 0
    forward, workspace = forward_peak_bytes(serving), expert_workspace_bytes(serving)
    peak = max(sampler, forward) + workspace
    doubt = round(peak * profile.activation_relative) + bytes_of_gib(profile.activation_gib)
    return Term(
        name="activations",
        amount=Amount(low=max(0, peak - doubt), expected=peak, high=peak + doubt),
        formula="max(k*n*V*4 + a*T*h*2 + c, T*(x*I/t + y*h)*2 + c) + expert workspace",
        values={
            "sampler_bytes": sampler,
            "forward_bytes": forward,
            "expert_workspace_bytes": workspace,
            "max_sequences": serving.step_sequences,
            "max_batched_tokens": serving.step_tokens,
            "vocabulary": serving.model.vocabulary_size,
        },
        provenance="calibrated",
        source=profile.sources.get("sampler_copies", "engine profile"),
    )


def cuda_graphs(serving: Serving, stage: Stage) -> Term:
    """Memory of captured CUDA graphs. [B]

    M_g = g_0 + g_1·L + g_m·[mixture]

    g_0, g_1, g_m  constants of the profile   L  layers on the stage

    Holds when:  graphs are captured for the engine's default batch sizes.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, capture_model; constants of the profile.
    Checked by:  a dense model of 32 layers at 0.35 + 0.017 a layer: 0.89 GiB.
    """
    profile, layers = serving.profile, stage.layers
    gib = profile.graph_base_gib + profile.graph_layer_gib * layers
    if counts(serving.model).mixture:
        gib += profile.graph_mixture_gib
    size = bytes_of_gib(gib) if serving.cuda_graphs else 0
    doubt = round(size * profile.graph_relative)
    return Term(
        name="cuda_graphs",
        amount=Amount(low=size - doubt, expected=size, high=size + doubt),
        formula="base + per layer x layers + mixture",
        values={"layers": layers, "captured": str(serving.cuda_graphs).lower()},
        provenance="calibrated",
        source=profile.sources.get("graph_base_gib", "engine profile"),
        in_budget=profile.graphs_in_budget,
    )


def communication(serving: Serving, stage: Stage) -> Term:
    """Allocated outside torch while loading and profiling: kernels' workspaces, NCCL buffers. [B]

    M_c = table(t)

    t  tensor-parallel ranks

    Holds when:  cards of one node; two nodes have been seen to take half a GiB more.
    Source:      engine logs, per version and rank count, in the engine's profile.
    Checked by:  vLLM 0.19, two H100: 2.06 to 2.11 GiB.
    """
    del stage
    return Term(
        name="communication",
        amount=spread_amount(by_ranks(serving.profile.non_torch_gib, serving.split.tensor)),
        formula="table by tensor-parallel ranks and engine version",
        values={"tensor_parallel": serving.split.tensor, "profile": serving.profile.since},
        provenance="calibrated",
        source=serving.profile.sources.get("non_torch_gib", "engine profile"),
    )


def runtime(serving: Serving, stage: Stage) -> Term:
    """Used on the card before the model is loaded: CUDA context, libraries, communicators. [B]

    M_r = table(t·p) + expert communicator

    t·p  ranks of a replica

    Holds when:  nothing else runs on the card.
    Source:      engine logs, per rank count, in the engine's profile.
    Checked by:  vLLM on one H100: 0.51 GiB.
    """
    del stage
    mixture = counts(serving.model).mixture and serving.split.ranks > 1
    extra = serving.profile.expert_context_gib if mixture else 0.0
    return Term(
        name="runtime",
        amount=spread_amount(by_ranks(serving.profile.context_gib, serving.split.ranks), extra),
        formula="table by ranks, and the expert communicator of mixtures",
        values={"ranks": serving.split.ranks, "profile": serving.profile.since},
        provenance="calibrated",
        source=serving.profile.sources.get("context_gib", "engine profile"),
        in_budget=False,
    )


def lora_adapters(serving: Serving, stage: Stage) -> Term | None:
    """Slots for adapters: two low-rank matrices for every linear layer of a block. [B]

    M_l = N · R · Σ_linear (r + c) · 2

    N  slots   R  rank   r, c  rows and columns of an adapted matrix on the rank

    Holds when:  the engine reserves all slots at the largest rank; experts carry none.
    Source:      vLLM `lora/layers/`, create_lora_weights: lora_a_stacked and lora_b_stacked.
    Checked by:  one 4,096 × 4,096 matrix, rank 16, one slot: 262,144 bytes.
    """
    slots = serving.adapters
    if slots is None:
        return None
    per_kind = [
        sum(
            (part.rows + part.columns) * part.count
            for tensor in kind.tensors()
            if tensor.linear and tensor.kind in {"attention", "mlp"}
            for part in (tensor.sharded(serving.split.tensor),)
        )
        for kind in serving.model.layer_kinds
    ]
    placed = serving.model.layer_order[stage.start : stage.stop]
    features = sum(per_kind[index] for index in placed)
    size = slots.count * slots.rank * features * ACTIVATION_BYTES
    return Term(
        name="lora_adapters",
        amount=Amount.exactly(size),
        formula="slots x rank x sum over linear layers of (rows + columns) x 2",
        values={"slots": slots.count, "rank": slots.rank, "features": features},
        provenance="derived",
        source="vLLM lora/layers, create_lora_weights",
    )


BESIDE_WEIGHTS = (
    kv_cache, activations, cuda_graphs, communication, runtime, lora_adapters,
)  # fmt: skip
"""Terms that do not depend on how the weights are stored: the planner shares them."""

SERVING_TERMS = (weights, *BESIDE_WEIGHTS)


def serving_terms(serving: Serving, stage: Stage) -> tuple[Term, ...]:
    """All terms of one stage."""
    return (weights(serving, stage), *terms_beside_weights(serving, stage))


def terms_beside_weights(serving: Serving, stage: Stage) -> tuple[Term, ...]:
    """The terms of one stage that do not depend on how the weights are stored."""
    found = (term(serving, stage) for term in BESIDE_WEIGHTS)
    return tuple(term for term in found if term is not None)
