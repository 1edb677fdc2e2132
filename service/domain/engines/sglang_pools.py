"""SGLang's pools: one of whole contexts, one of windows, one of states, in fixed proportions.

Source: SGLang 0.5.5 to 0.5.23 `srt/model_executor/pool_configurator.py`, HybridSWAPoolConfigurator;
`srt/mem_cache/kv_cache_configurator.py`, handling of max_mamba_cache_size.
"""

from __future__ import annotations

from typing import NamedTuple

from service.domain.architecture import Stage, source_tokens
from service.domain.engines.shared import row_bytes, stage_cache_rows
from service.domain.engines.states import sequence_state
from service.domain.forms import PoolForm
from service.domain.profiles import SglangProfile
from service.domain.questions import Serving
from service.domain.units import ceil_div


class Need(NamedTuple):
    """What one sequence takes of the pools of tokens and of states. [B]"""

    tokens: int
    states: int


def windows_apart(serving: Serving) -> bool:
    """Whether windows of this family have a pool of their own; others keep whole contexts."""
    return serving.model.family in serving.profile_as(SglangProfile).window_pool_families


def token_cells(serving: Serving, stage: Stage) -> tuple[int, int]:
    """Bytes of a token in layers that keep whole contexts, and in layers with a window. [B]"""
    whole = windowed = 0
    for row, layers in stage_cache_rows(serving, stage):
        size = layers * ceil_div(row_bytes(serving, row), row.tokens_per_row)
        if row.window_tokens and windows_apart(serving):
            windowed += size
        else:
            whole += size
    return whole, windowed


def pooled_token(serving: Serving, stage: Stage) -> int:
    """A token of the pools together: windows hold a fixed part of the tokens of whole contexts. [B]

    c = c_f + ρ·c_w

    c_f, c_w  a token of layers without and with a window   ρ  the version's ratio

    Holds when:  pools are not unified and no ratio is given.
    Source:      see the head of this module.
    Checked by:  MiMo V2: 375,360 tokens of whole contexts beside 300,288 of windows, ρ 0.8.
    """
    whole, windowed = token_cells(serving, stage)
    return whole + round(serving.profile_as(SglangProfile).window_pool_ratio * windowed)


def sequence_tokens(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """Tokens of the pools that one sequence takes: its context, or its windows over the ratio."""
    ratio = serving.profile_as(SglangProfile).window_pool_ratio
    found = 0
    for row, _ in stage_cache_rows(serving, stage):
        tokens = source_tokens(serving.model, row.source, context_tokens)
        if row.window_tokens and windows_apart(serving):
            tokens = round(row.resident_tokens(tokens, serving.step_tokens) / ratio)
        found = max(found, tokens)
    return found


def sequence_need(serving: Serving, stage: Stage, context_tokens: int) -> Need:
    """What one sequence takes, each pool grown to its part of the whole.

    M_k = max(T·c, M_r / q),  M_r = max(n·M_1, q·T·c)

    T  tokens   c  a token of the pools   n  slots of states that a sequence takes while prefixes
    are cached   M_1  states of one sequence   q  states' pool over tokens' pool

    Holds when:  prefixes are cached, as by default.
    Source:      see the head of this module.
    Checked by:  Qwen3.5 on two cards: pools of 7.42 and 8.30 GiB, 0.894 for a q of 0.9.
    """
    profile = serving.profile_as(SglangProfile)
    tokens = sequence_tokens(serving, stage, context_tokens) * pooled_token(serving, stage)
    states = profile.state_slots * sequence_state(serving, stage)
    if not states or not tokens:
        return Need(tokens, states)
    ratio = profile.state_pool_ratio
    return Need(max(tokens, round(states / ratio)), max(states, round(ratio * tokens)))


def kv_cache(serving: Serving, stage: Stage) -> int:
    """Keys and values of every running sequence, in the pools' proportions. [B]

    M_kv = S · M_k

    S  sequences that one replica holds at once   M_k  what one takes of the pools of tokens

    Holds when:  all sequences reach the context's length.
    Source:      see what one sequence takes.
    Checked by:  Llama 3.1 8B, bf16, one sequence of 8,192: 1 GiB.
    """
    return serving.sequences * sequence_need(serving, stage, serving.context_tokens).tokens


def recurrent_state(serving: Serving, stage: Stage) -> int:
    """States of every running sequence, in the pools' proportions. [B]

    M_s = S · M_r

    S  sequences that one replica holds at once   M_r  what one takes of the pool of states

    Holds when:  prefixes are cached, as by default.
    Source:      see what one sequence takes.
    Checked by:  a state of 90 MiB and three slots: 270 MiB a sequence where tokens need less.
    """
    return serving.sequences * sequence_need(serving, stage, serving.context_tokens).states


def sequence_bytes(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """What one sequence takes of all pools. [B]"""
    return sum(sequence_need(serving, stage, context_tokens))


def states_beside(serving: Serving, stage: Stage) -> float:
    """Bytes of all pools for one byte of the pools of tokens."""
    has = sequence_state(serving, stage) > 0
    return 1 + (serving.profile_as(SglangProfile).state_pool_ratio if has else 0)


def printed_tokens(serving: Serving, stage: Stage, pool_bytes: int) -> int:
    """Tokens of whole contexts, as the log's max_total_num_tokens."""
    token = pooled_token(serving, stage)
    return int(pool_bytes / states_beside(serving, stage)) // token if token else 0


POOL = PoolForm(
    sequence_bytes=sequence_bytes,
    block_bytes=lambda serving, stage: max(1, pooled_token(serving, stage)),
    token_bytes=pooled_token,
    tokens=printed_tokens,
)
