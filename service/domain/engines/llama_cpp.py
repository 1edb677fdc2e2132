"""llama.cpp: buffers that are sized once, for all cells of all slots; a margin is kept free."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Stage
from service.domain.caches import CacheRow
from service.domain.engines.shared import (
    DRAFT_MODEL,
    checkpoint,
    row_bytes,
    stage_cache_rows,
    token_bytes,
    weights_form,
)
from service.domain.engines.states import RECURRENT_STATE, sequence_state
from service.domain.forms import FP32_BYTES, EngineModel, PoolForm, TermForm, before, cached
from service.domain.profiles import LlamaCppProfile, Profile
from service.domain.questions import Placement, Serving
from service.domain.results import Value
from service.domain.sums import weight_sums, widths
from service.domain.units import bytes_of_gib, round_up


def profile_of(serving: Serving) -> LlamaCppProfile:
    """The version's constants."""
    return serving.profile_as(LlamaCppProfile)


def model_buffer(placement: Placement, profile: Profile, stage: Stage) -> int:
    """Weights on the card: the text model's file without the table of input embeddings. [B]

    M_w = M_file - M_embd - M_towers

    M_file  bytes of all tensors   M_embd  input table, which stays in host memory; a tied table
            is copied to the card as output matrix, so that it counts
    M_towers  encoders, which are files of their own (mmproj) and not loaded by default

    Holds when:  all layers are on the card.
    Source:      llama.cpp `src/llama-model.cpp`, load_tensors: the input layer is on the CPU, a
                 missing output is created from token_embd.
    Checked by:  Llama 3.1 8B, Q4_0: 4,156 MiB, as the log prints.
    """
    whole = checkpoint(placement, profile, stage)
    model, split = placement.model, placement.split
    if not stage.first:
        return whole
    sums = weight_sums(
        model, placement.quantization, placement.precision, split.tensor, split.expert
    )
    return whole - sums.towers - (0 if model.tied else sums.embeddings)


def padding(serving: Serving) -> int:
    """Cells are rounded up to so many."""
    profile = profile_of(serving)
    return profile.cell_tokens if serving.flash_attention else profile.eager_cell_tokens


def row_cells(serving: Serving, row: CacheRow, context_tokens: int) -> int:
    """Cells of one sequence in one layer.

    C = pad(min(T, window + u))

    T  context   u  tokens of a step   pad  up to 256 with flash attention, 32 without

    Source: llama.cpp `src/llama-kv-cache-iswa.cpp`; `src/llama-context.cpp`, n_pad.
    """
    pad = padding(serving)
    full = round_up(context_tokens, pad)
    if not row.window_tokens:
        return full
    return min(full, round_up(row.window_tokens + serving.max_batched_tokens, pad))


def sequence_cells(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """Cache of one slot of so many tokens. [B]

    M_s = Σ_g L_g · C_g · (k + v)

    L_g  layers of kind g   C_g  cells   k + v  bytes of keys and values of a cell

    Holds when:  slots have cells of their own.
    Source:      llama.cpp `src/llama-kv-cache.cpp`.
    Checked by:  gpt-oss-120b, 2,000 tokens in f16 without flash attention: 18 layers of 2,016 cells
                 take 70.88 MiB and 18 of 640 take 22.50 MiB, as the log prints.
    """
    return sum(
        layers * row.rows(row_cells(serving, row, context_tokens)) * row_bytes(serving, row)
        for row, layers in stage_cache_rows(serving, stage)
    )


def slot_bytes(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """Cells and states of one slot. [B]"""
    return sequence_cells(serving, stage, context_tokens) + sequence_state(serving, stage)


def kv_buffer(serving: Serving, stage: Stage) -> int:
    """Cells of all slots. [B]

    M_kv = S · M_s

    S  slots   M_s  cache of one slot

    Holds when:  see the cache of one slot.
    Source:      see the cache of one slot.
    Checked by:  Llama 3.1 8B in f16, one slot of 16,384: 2 GiB.
    """
    return serving.sequences * sequence_cells(serving, stage, serving.context_tokens)


def kv_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the cells."""
    rows = stage_cache_rows(serving, stage)
    return {
        "slots": serving.sequences,
        "context_tokens": serving.context_tokens,
        "cells_rounded_to": padding(serving),
        "bits_per_element": serving.cache.shown_bits,
        "sliding_layers": sum(n for row, n in rows if row.window_tokens),
        "layers": sum(layers for _, layers in rows),
    }


def output_stage(serving: Serving) -> int:
    """The end of a step: logits of every token and the hidden states before them. [B]

    O = u·(V + a·h)·4

    u  tokens of a step   V  vocabulary   a  copies   h  hidden size

    Holds when:  the graph is reserved for logits of all tokens of a step.
    Source:      llama.cpp `src/llama-context.cpp`, graph_reserve; `ggml/src/ggml-alloc.c`.
    Checked by:  Llama 3.1 8B, u 512, a 2: 266.5 MiB, as a log prints.
    """
    copies = profile_of(serving).output_copies * serving.model.hidden_size
    return serving.max_batched_tokens * (serving.model.vocabulary_size + copies) * FP32_BYTES


def attention_stage(serving: Serving, stage: Stage) -> int:
    """One layer's attention: its mask, its scores and the hidden states. [B]

    A = u·C·(m + m_f) + u·b·h·4                with flash attention
    A = u·C·(m + 4·a) + u·b·h·4                without

    u  tokens of a step   C  cells of all slots   m, m_f  bytes of the mask and of its 16-bit copy
    a  heads   b  copies   h  hidden size

    Holds when:  the mask is an input in 32 bits that flash attention reads in 16.
    Source:      llama.cpp `src/llama-graph.cpp`, build_attn_inp_kv; `ggml/src/ggml-alloc.c`.
    Checked by:  Qwen3.5-9B, u 512, 262,144 cells, b 5: 808 MiB, as the log prints.
    """
    profile, step = profile_of(serving), serving.max_batched_tokens
    rows = stage_cache_rows(serving, stage)
    most = max((row_cells(serving, row, serving.context_tokens) for row, _ in rows), default=0)
    scores = FP32_BYTES * widths(serving.model).heads
    per_cell = profile.mask_bytes + (
        profile.flash_mask_bytes if serving.flash_attention else scores
    )
    hidden = profile.block_copies * serving.model.hidden_size * FP32_BYTES
    return step * (serving.sequences * most * per_cell + hidden)


def compute_buffer(serving: Serving, stage: Stage) -> int:
    """The buffer of a step's graph: its largest moment. [B]

    M_c = max(O, A) · copies

    O  end of a step (last stage only)   A  attention of one layer
    copies  of the graph's inputs, where several cards work one after the other

    Holds when:  all layers are on the card.
    Source:      see both parts; pipelines: `ggml/src/ggml-backend.cpp`, GGML_SCHED_MAX_COPIES.
    Checked by:  Qwen3-30B-A3B, u 512: 304.75 MiB, as a log prints.
    """
    most = max(
        output_stage(serving) if serving.samples(stage) else 0, attention_stage(serving, stage)
    )
    if serving.split.pipeline == 1:
        return most
    inputs = serving.max_batched_tokens * serving.model.hidden_size * FP32_BYTES
    return most + (profile_of(serving).pipeline_copies - 1) * inputs


def compute_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the buffer."""
    return {
        "output_bytes": output_stage(serving) if serving.samples(stage) else 0,
        "attention_bytes": attention_stage(serving, stage),
        "step_tokens": serving.max_batched_tokens,
        "flash_attention": str(serving.flash_attention).lower(),
        "vocabulary": serving.model.vocabulary_size,
    }


def runtime(serving: Serving, stage: Stage) -> int:
    """CUDA context and libraries, in no buffer. [B]

    M_r = constant

    Holds when:  nothing else runs on the card.
    Source:      published logs: 450 to 750 MiB a card are in no buffer.
    Checked by:  0.55 GiB.
    """
    del stage
    return bytes_of_gib(profile_of(serving).context_gib)


def cells_tokens(serving: Serving, stage: Stage, pool_bytes: int) -> int:
    """Cells of a pool."""
    one = token_bytes(serving, stage)
    return pool_bytes // one if one else 0


def cell_step(serving: Serving, stage: Stage) -> int:
    """Cells come in steps of the padding. [B]"""
    return token_bytes(serving, stage) * padding(serving)


LLAMA_CPP = EngineModel(
    weights=model_buffer,
    terms=(
        weights_form(model_buffer),
        TermForm(
            name="kv_cache",
            expected=kv_buffer,
            values=kv_values,
            formula="slots x sum over layers of padded cells x bytes of keys and values",
            provenance="exact",
            source="llama.cpp src/llama-kv-cache.cpp; shapes from the config",
            side=cached,
            shape=True,
            each_sequence=True,
        ),
        RECURRENT_STATE,
        DRAFT_MODEL,
        TermForm(
            name="activations",
            expected=compute_buffer,
            values=compute_values,
            formula="max(u x (V + a h) x 4, u x cells x mask bytes + u x b h x 4)",
            provenance="derived",
            source="output_copies",
        ),
        TermForm(
            name="runtime",
            follows_held=False,
            expected=runtime,
            values=lambda serving, _: {"profile": serving.profile.since},
            formula="constant",
            provenance="calibrated",
            source="context_gib",
            side=before,
        ),
    ),
    pool=PoolForm(
        sequence_bytes=slot_bytes,
        block_bytes=cell_step,
        token_bytes=token_bytes,
        tokens=cells_tokens,
    ),
)
