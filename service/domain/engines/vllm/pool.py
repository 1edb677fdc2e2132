"""vLLM's pool: blocks that layers of one group share, groups of equal length, one page size.

Source: vLLM `v1/core/kv_cache_utils.py` (get_kv_cache_groups, unify_kv_cache_spec_page_size,
get_max_concurrency_for_kv_cache_config), `v1/kv_cache_interface.py` (max_memory_usage_bytes) and
`platforms/interface.py` (_align_hybrid_block_size).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from service.domain.architecture import Stage, source_tokens
from service.domain.caches import CacheRow
from service.domain.engines.shared import row_bytes, stage_cache_rows
from service.domain.engines.states import stage_state_rows, state_bits, state_values
from service.domain.engines.vllm.profile import profile_of
from service.domain.forms import PoolForm
from service.domain.questions import Serving
from service.domain.units import bytes_of_bits, ceil_div

MUCH_LONGER = 1.5
"""Groups are as long as the rarest kind of layer, or as the commonest where that is not much."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Layers that keep the same: a row of every token, or (row None) a state of every sequence."""

    layers: int
    page_bytes: int
    block_tokens: int
    row: CacheRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """How the layers of a stage share the pool.

    groups       kind of layer and number of groups that its layers make
    block_bytes  one block: a page of every layer of a group
    """

    groups: tuple[tuple[Kind, int], ...]
    block_bytes: int

    @property
    def group_count(self) -> int:
        """Number of groups."""
        return sum(count for _, count in self.groups)


def layout(serving: Serving, stage: Stage) -> Layout:
    """How the layers of a stage share the pool."""
    rows = tuple(
        (row, layers, row_bytes(serving, row)) for row, layers in stage_cache_rows(serving, stage)
    )
    states = tuple(
        (bytes_of_bits(state_values(serving, row) * state_bits(serving, row)), layers)
        for row, layers in stage_state_rows(serving, stage)
    )
    profile = profile_of(serving)
    hybrid = profile.hybrid_pool and serving.model.family not in profile.whole_window_families
    return grouped(rows, states, profile.block_tokens, hybrid)


@lru_cache(maxsize=4096)
def grouped(
    rows: tuple[tuple[CacheRow, int, int], ...],
    states: tuple[tuple[int, int], ...],
    block_tokens: int,
    hybrid: bool,
) -> Layout:
    """Groups of layers that are alike.

    Layers that keep all tokens, whatever their widths, make one group whose block holds a page of
    each. With several kinds of layers every page has one size, and every group one length:

    n = min_k L_k, or max_k L_k where that is below 1.5 · min_k L_k;  groups of k = ceil(L_k / n)

    Checked by: gemma-3-27b: 10 full and 52 sliding layers make 1 + 6 groups of 10, 8 of 70 padding.
    """
    sliding = {row.window_tokens for row, _, _ in rows} if hybrid else {0}
    sources = {row.source for row, _, _ in rows}
    if not states and len(sliding) <= 1 and len(sources) <= 1:
        return uniform(rows, block_tokens, hybrid=hybrid)
    kinds = paged(rows, states, block_tokens)
    shortest, longest = min(k.layers for k in kinds), max(k.layers for k in kinds)
    length = longest if longest < MUCH_LONGER * shortest else shortest
    groups = tuple((kind, ceil_div(kind.layers, length)) for kind in kinds)
    return Layout(groups=groups, block_bytes=length * kinds[0].page_bytes)


def uniform(
    rows: tuple[tuple[CacheRow, int, int], ...], block_tokens: int, *, hybrid: bool
) -> Layout:
    """One group of all layers; without a hybrid pool windows are kept whole."""
    size = sum(layers * row.rows(block_tokens) * one for row, layers, one in rows)
    first = rows[0][0] if rows else CacheRow(elements=0)
    kept = first if hybrid else CacheRow(elements=first.elements)
    layers = sum(layers for _, layers, _ in rows)
    kind = Kind(layers=layers, page_bytes=size, block_tokens=block_tokens, row=kept)
    return Layout(groups=((kind, 1),), block_bytes=size)


def paged(
    rows: tuple[tuple[CacheRow, int, int], ...],
    states: tuple[tuple[int, int], ...],
    block_tokens: int,
) -> tuple[Kind, ...]:
    """Kinds of layers with pages of one size.

    A page of tokens is made as large as a state: B = b·ceil(M_state / (b·r));  smaller pages take
    more tokens until they are as large as the largest, and a state is padded to it.

    b  tokens of a plain block   r  bytes of a token in the widest layer

    Checked by: a state of 2,146,304 B beside 2,048 B a token: blocks of 1,056 tokens.
    """
    state = sum(size * layers for size, layers in states)
    state_layers = max((layers for _, layers in states), default=0)
    state_bytes = ceil_div(state, state_layers) if state_layers else 0
    widest = max((one * row.rows(block_tokens) for row, _, one in rows), default=0)
    page = widest * max(1, ceil_div(state_bytes, widest)) if widest else state_bytes
    kinds = [
        Kind(
            layers=layers,
            page_bytes=page,
            block_tokens=block_tokens * page // (one * row.rows(block_tokens)),
            row=row,
        )
        for row, layers, one in rows
    ]
    if state_layers:
        tokens = block_tokens * page // widest if widest else block_tokens
        kinds.append(Kind(layers=state_layers, page_bytes=page, block_tokens=tokens, row=None))
    return tuple(kinds)


def kind_blocks(serving: Serving, kind: Kind, context_tokens: int) -> int:
    """Blocks of one sequence in one group of a kind.

    Full: ceil(T / B).  Window: ceil(min(T, w - 1 + step) / B) + 1, because it may begin inside a
    block.  State: 1.
    """
    row = kind.row
    if row is None:
        return 1
    tokens = source_tokens(serving.model, row.source, context_tokens)
    kept = ceil_div(row.resident_tokens(tokens, serving.step_tokens), kind.block_tokens)
    return kept + 1 if row.window_tokens else kept


def token_blocks(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """Bytes of one sequence's tokens in whole blocks. [B]

    M_s = b · Σ_k g_k · n_k(T)

    b  bytes of a block   g_k  groups of kind k   n_k  blocks of a sequence in one of them

    Holds when:  no prefix is shared.
    Source:      see the head of this module.
    Checked by:  gemma-3-4b, 8,192 tokens, windows of 1,024 and steps of 8,192: 512 + 6 · 513 blocks
                 of 327,680 B, 1.096 GiB, as the log's pool over its concurrency gives.
    """
    found = layout(serving, stage)
    return found.block_bytes * sum(
        count * kind_blocks(serving, kind, context_tokens)
        for kind, count in found.groups
        if kind.row is not None
    )


def state_blocks(serving: Serving, stage: Stage) -> int:
    """Bytes of one sequence's states in whole blocks, one more for every drafted token. [B]

    Source: vLLM `v1/kv_cache_interface.py`, MambaSpec: 1 + num_speculative_blocks.
    """
    found = layout(serving, stage)
    slots = 1 + (serving.draft.tokens if serving.draft else 0)
    groups = sum(count for kind, count in found.groups if kind.row is None)
    return found.block_bytes * groups * slots


def sequence_blocks(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """Bytes of one sequence in whole blocks. [B]"""
    return token_blocks(serving, stage, context_tokens) + state_blocks(serving, stage)


def slope(serving: Serving, stage: Stage) -> int:
    """Bytes of one more token where windows are full. [B]"""
    found = layout(serving, stage)
    return sum(
        ceil_div(count * found.block_bytes, kind.block_tokens)
        for kind, count in found.groups
        if kind.row is not None and not kind.row.window_tokens and kind.row.source == "context"
    )


def printed_tokens(serving: Serving, stage: Stage, pool_bytes: int) -> int:
    """Tokens as the log prints them.

    Up to 0.20: blocks // groups · B.  From 0.21: concurrency · context.

    Source: vLLM `v1/core/kv_cache_utils.py`, _report_kv_cache_config.
    """
    found = layout(serving, stage)
    if not found.block_bytes:
        return 0
    blocks = pool_bytes // found.block_bytes
    if profile_of(serving).tokens_by_concurrency:
        one = sequence_blocks(serving, stage, serving.context_tokens)
        return pool_bytes * serving.context_tokens // one if one else 0
    smallest = min(kind.block_tokens for kind, _ in found.groups)
    return blocks // found.group_count * smallest


POOL = PoolForm(
    sequence_bytes=sequence_blocks,
    block_bytes=lambda serving, stage: layout(serving, stage).block_bytes,
    token_bytes=slope,
    tokens=printed_tokens,
)
