"""Terms that engines have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from service.domain.architecture import Stage, counts, source_tokens
from service.domain.caches import CacheRow
from service.domain.engine import SURE
from service.domain.engines.states import sequence_state
from service.domain.forms import ACTIVATION_BYTES, PoolForm, TermForm, cached
from service.domain.profiles import Profile
from service.domain.questions import Placement, Serving
from service.domain.results import Value
from service.domain.sums import cache_rows, stage_weight_bytes, weight_sums
from service.domain.units import bytes_of_bits, ceil_div, round_up


def checkpoint(placement: Placement, profile: Profile, stage: Stage) -> int:
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
    del profile
    model, split = placement.model, placement.split
    sums = weight_sums(
        model, placement.quantization, placement.precision, split.tensor, split.expert
    )
    return stage_weight_bytes(model, sums, stage)


def weights_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the weights."""
    return {
        "parameters": counts(serving.model).parameters,
        "precision_bits": serving.precision.bits,
        "quantization": serving.quantization.id,
        "tensor_parallel": serving.split.tensor,
        "pipeline_parallel": serving.split.pipeline,
        "layers_on_stage": stage.layers,
        "checkpoint_bytes": checkpoint(serving, serving.profile, stage),
    }


def weights_form(
    weights: Callable[[Placement, Profile, Stage], int] = checkpoint, beyond: str = ""
) -> TermForm:
    """The term of an engine's weights; `beyond` names what it holds beside the checkpoint's."""
    return TermForm(
        name="weights",
        expected=lambda serving, stage: weights(serving, serving.profile, stage),
        values=weights_values,
        formula="sum over tensors of rows x columns x bits / 8, packed tensors with their scales"
        + beyond,
        provenance="exact",
        source="the config's bill of tensors; config/quantizations.yaml",
        shape=True,
        from_file=True,
        shape_doubt=SURE,
    )


def stage_cache_rows(serving: Serving, stage: Stage) -> tuple[tuple[CacheRow, int], ...]:
    """Rows that one rank of a stage keeps of every token, and in how many layers.

    A draft's layers stand beside the model's on the last stage.
    """
    own = cache_rows(serving.model, serving.split.tensor, stage.start, stage.stop)
    draft = serving.draft
    if draft is None or not stage.last:
        return own
    found = dict(own)
    for index in draft.layer_order:
        for mixer in draft.layer_kinds[index].mixers:
            for row in mixer.cache_rows(serving.split.tensor):
                found[row] = found.get(row, 0) + 1
    return tuple(found.items())


def row_bytes(serving: Serving, row: CacheRow) -> int:
    """One row of one layer. [B]"""
    return bytes_of_bits(row.row_bits(serving.cache.bits))


def sequence_rows(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """Cache of one sequence of so many tokens on one rank of a stage, in whole blocks. [B]

    M_s = Σ_g L_g · c_g(t) · e · ceil(T_g / B) · B

    L_g  layers of group g on the stage   c_g  elements of a token on one of t tensor ranks
    e    bytes an element   T_g  tokens kept: the context, the encoder's
    output, or window - 1 + step tokens   B  tokens of a block

    Holds when:  the cache is paged; no prefix is shared; groups do not pad each other.
    Source:      vLLM `v1/kv_cache_interface.py`; 2 · L · ceil(kv heads / t) · head_dim · e.
    Checked by:  Llama 3.1 8B, bf16: 128 KiB a token (2 · 32 · 8 · 128 · 2).
    """
    block, size = serving.profile.block_tokens, 0
    for row, layers in stage_cache_rows(serving, stage):
        tokens = source_tokens(serving.model, row.source, context_tokens)
        kept = row.resident_tokens(tokens, serving.step_tokens)
        size += layers * row.rows(round_up(kept, block)) * row_bytes(serving, row)
    return size


def sequence_bytes(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """Cache and states of one sequence of so many tokens on one rank of a stage. [B]"""
    return sequence_rows(serving, stage, context_tokens) + sequence_state(serving, stage)


def token_bytes(serving: Serving, stage: Stage) -> int:
    """Cache of one more token while no window is full. [B]"""
    return sum(
        layers * ceil_div(row_bytes(serving, row), row.tokens_per_row)
        for row, layers in stage_cache_rows(serving, stage)
        if row.source == "context"
    )


def uniform_block_bytes(serving: Serving, stage: Stage) -> int:
    """One block of every layer of a stage. [B]"""
    return token_bytes(serving, stage) * serving.profile.block_tokens


def uniform_tokens(serving: Serving, stage: Stage, pool_bytes: int) -> int:
    """Tokens of a pool whose layers are all alike."""
    block = uniform_block_bytes(serving, stage)
    return pool_bytes // block * serving.profile.block_tokens if block else 0


UNIFORM_POOL = PoolForm(
    sequence_bytes=sequence_bytes,
    block_bytes=uniform_block_bytes,
    token_bytes=token_bytes,
    tokens=uniform_tokens,
)
"""A pool of blocks that hold so many tokens of every layer."""


def kv_cache(serving: Serving, stage: Stage) -> int:
    """Keys and values of every token of every running sequence. [B]

    M_kv = S · M_s

    S  sequences that one replica holds at once   M_s  cache of one sequence of the context's length

    Holds when:  all sequences reach the context's length.
    Source:      see the cache of one sequence.
    Checked by:  Llama 3.1 8B, bf16, one sequence of 8,192: 1 GiB.
    """
    return serving.sequences * sequence_rows(serving, stage, serving.context_tokens)


def kv_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the cache."""
    rows = stage_cache_rows(serving, stage)
    return {
        "sequences": serving.sequences,
        "context_tokens": serving.context_tokens,
        "bits_per_element": serving.cache.shown_bits,
        "elements_per_token": sum(row.elements * layers for row, layers in rows),
        "sliding_layers": sum(n for row, n in rows if row.window_tokens),
        "layers": sum(layers for _, layers in rows),
        "block_tokens": serving.profile.block_tokens,
    }


KV_CACHE = TermForm(
    name="kv_cache",
    expected=kv_cache,
    values=kv_values,
    formula="sequences x sum over layers of elements x bytes x tokens in whole blocks",
    provenance="exact",
    source="shapes from the config; blocks as the engine cuts them",
    side=cached,
    each_sequence=True,
    shape=True,
)


def draft_model(serving: Serving, stage: Stage) -> int:
    """Weights of what drafts tokens, on the last stage. [B]

    M_d = Σ n·r·c·b/8

    n, r, c  occurrences, rows and columns on the rank   b  bits as the draft is released

    Holds when:  the model's own prediction layers share its table and head; keys and values of
                 drafting layers are counted in the cache.
    Source:      vLLM `model_executor/models/deepseek_mtp.py`, `qwen3_next_mtp.py`; the config.
    Checked by:  DeepSeek-V3: a prediction layer of 11,610,067,968 elements, one byte each.
    """
    draft = serving.draft
    if draft is None or not stage.last:
        return 0
    split = serving.split
    return draft.quantization.weight_bytes(
        draft.tensors,
        draft.precision,
        tensor_parallel=split.tensor,
        expert_parallel=split.expert,
    )


def draft_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the draft's weights."""
    draft = serving.draft
    name, layers = (draft.name, len(draft.layer_order)) if draft else ("none", 0)
    return {"draft": name, "layers": layers if stage.last else 0}


DRAFT_MODEL = TermForm(
    name="draft_model",
    follows_held=False,
    expected=draft_model,
    values=draft_values,
    formula="sum over the draft's tensors of rows x columns x bits / 8",
    provenance="derived",
    source="the config's bill of tensors",
    present=lambda serving: serving.draft is not None,
)


def lora_adapters(serving: Serving, stage: Stage) -> int:
    """Slots for adapters: two low-rank matrices for every linear layer of a block. [B]

    M_l = N · R · Σ_linear (r + c) · 2

    N  slots   R  rank   r, c  rows and columns of an adapted matrix on the rank

    Holds when:  the engine reserves all slots at the largest rank; experts carry none.
    Source:      vLLM `lora/layers/`, create_lora_weights: lora_a_stacked and lora_b_stacked.
    Checked by:  one 4,096 × 4,096 matrix, rank 16, one slot: 262,144 bytes.
    """
    slots = serving.adapters
    if slots is None:
        return 0
    return slots.count * slots.rank * adapted_features(serving, stage) * ACTIVATION_BYTES


def adapted_features(serving: Serving, stage: Stage) -> int:
    """Rows and columns of all matrices of a stage that an adapter may carry."""
    per_kind = [
        sum(
            (part.rows + part.columns) * part.count
            for tensor in kind.tensors()
            if tensor.linear and tensor.kind in {"attention", "mlp"}
            for part in (tensor.sharded(serving.split.tensor),)
        )
        for kind in serving.model.layer_kinds
    ]
    return sum(per_kind[index] for index in serving.model.layer_order[stage.start : stage.stop])


def lora_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the slots."""
    slots = serving.adapters
    count, rank = (slots.count, slots.rank) if slots else (0, 0)
    return {"slots": count, "rank": rank, "features": adapted_features(serving, stage)}


LORA_ADAPTERS = TermForm(
    follows_held=False,
    name="lora_adapters",
    expected=lora_adapters,
    values=lora_values,
    formula="slots x rank x sum over linear layers of (rows + columns) x 2",
    provenance="derived",
    source="vLLM lora/layers, create_lora_weights",
    present=lambda serving: serving.adapters is not None,
)
