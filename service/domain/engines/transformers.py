"""transformers' `generate`: one padded batch, a cache that grows by copies, no budget."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from service.domain.architecture import Architecture, Stage
from service.domain.engines.shared import (
    DRAFT_MODEL,
    KV_CACHE,
    LORA_ADAPTERS,
    UNIFORM_POOL,
    checkpoint,
    kv_cache,
    stage_cache_rows,
    weights_form,
)
from service.domain.engines.states import RECURRENT_STATE
from service.domain.feed_forward import MixtureOfExperts
from service.domain.forms import ACTIVATION_BYTES, EngineModel, TermForm, before
from service.domain.profiles import TransformersProfile
from service.domain.questions import Serving
from service.domain.results import Value
from service.domain.units import bytes_of_gib, ceil_div

HIDDEN_COPIES = 4
"""Of the hidden states, alive at the peak of a block."""

PLAIN_COPIES, GATED_COPIES, FUSED_COPIES = 2, 3, 4
"""Of the feed-forward's width: without a gate, with one, and where gate and up are one matrix."""

INDEX_BYTES = 16
"""Token ids, positions and attention mask of one token."""


def profile_of(serving: Serving) -> TransformersProfile:
    """The version's constants."""
    return serving.profile_as(TransformersProfile)


def prompt_tokens(serving: Serving) -> int:
    """Tokens of the whole batch when all of a context is a prompt."""
    return serving.sequences * serving.context_tokens


def value_bytes(serving: Serving) -> int:
    """Bytes of one computed value: those of the precision, two at least."""
    return max(ACTIVATION_BYTES, serving.precision.bits // 8)


@lru_cache(maxsize=2048)
def block_copies(model: Architecture, *, fused: bool) -> int:
    """Values a token of the widest feed-forward that live at once.

    x = 2·f without a gate, 3·f with one, 4·f where gate and up are one matrix
    x = 4·k·f + k·h for experts

    f  width   k  experts a token   h  hidden size: the rows that each expert gathers
    """
    found = 0
    for part in (part for kind in model.layer_kinds for part in kind.feed_forwards):
        if isinstance(part, MixtureOfExperts):
            gathered = part.active_experts * (FUSED_COPIES * part.width + model.hidden_size)
            found = max(found, gathered)
        else:
            gated = FUSED_COPIES if fused else GATED_COPIES
            found = max(found, part.width * (gated if part.gated else PLAIN_COPIES))
    return found


def prefill_peak(serving: Serving) -> int:
    """Peak of the prompt beside weights and cache. [B]

    P = max(e·(x + 4·h)·T + 16·T, l·V·T)

    e  bytes a value   x  copies of the feed-forward's width   h  hidden size   T  tokens of the
    batch   l  bytes a logit of every token, 0 where only the last is computed   V  vocabulary

    Holds when:  attention is a flash kernel; all of the context is a prompt.
    Source:      replay of transformers 5.23.0 and torch 2.13.0 on fake tensors: 6f + 8h bytes a
                 token in 16 bits for gated blocks, all layers' cache present.
    Checked by:  Llama 3 8B, four prompts of 2,048: 2,048.0 million bytes with the cache; the replay
                 gives 2,047.9.
    """
    tokens = prompt_tokens(serving)
    copies = block_copies(serving.model, fused=serving.model.family in profile_of(serving).fused)
    copies += HIDDEN_COPIES * serving.model.hidden_size
    block = (copies * value_bytes(serving) + INDEX_BYTES) * tokens
    logits = profile_of(serving).prompt_logits * serving.model.vocabulary_size * tokens
    return max(block, logits)


def growth(serving: Serving, stage: Stage) -> int:
    """What stands twice while the last token is added to the cache. [B]

    G = M_kv where the whole cache is copied;  else the values of one layer

    M_kv  the cache of all sequences

    Holds when:  the cache grows with each token (no static cache).
    Source:      transformers 4.32 `models/llama/modeling_llama.py`: past and present key values
                 live until the step ends; from 4.36 `cache_utils.py`, DynamicCache.update.
    Checked by:  Llama-2 13B in 4.32: 1,600 MiB more for each further sequence of 1,024 tokens.
    """
    if profile_of(serving).growth == "whole":
        return kv_cache(serving, stage)
    rows = stage_cache_rows(serving, stage)
    values = max((ceil_div(row.elements, 2) for row, _ in rows), default=0)
    return values * prompt_tokens(serving) * value_bytes(serving)


def activations(serving: Serving, stage: Stage) -> int:
    """Peak beside weights and cache: the prompt's, or the copy while the cache grows. [B]

    M_a = max(P, G)

    P  peak of the prompt   G  what stands twice while a token is added

    Holds when:  see both.
    Source:      see both.
    Checked by:  Llama 3 8B, four prompts of 2,048: the prompt leads with 0.97 billion bytes.
    """
    return max(prefill_peak(serving), growth(serving, stage))


def activation_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the peak."""
    return {
        "prefill_bytes": prefill_peak(serving),
        "growth_bytes": growth(serving, stage),
        "tokens": prompt_tokens(serving),
        "profile": serving.profile.since,
    }


def runtime(serving: Serving, stage: Stage) -> int:
    """CUDA context, libraries and kernels outside the allocator. [B]

    M_r = constant of the version

    Holds when:  nothing else runs on the card.
    Source:      the engine's profile.
    Checked by:  a context of torch 2 on CUDA 12: about half a GiB.
    """
    del stage
    return bytes_of_gib(profile_of(serving).context_gib)


TRANSFORMERS = EngineModel(
    weights=checkpoint,
    terms=(
        weights_form(),
        KV_CACHE,
        RECURRENT_STATE,
        TermForm(
            name="activations",
            expected=activations,
            values=activation_values,
            formula="max((x f + 4h) x T x bytes + 16 T, logits of the prompt, copy of the cache)",
            provenance="derived",
            source="growth",
        ),
        TermForm(
            name="runtime",
            follows_held=False,
            expected=runtime,
            values=lambda serving, _: {"profile": serving.profile.since},
            formula="constant of the version",
            provenance="calibrated",
            source="context_gib",
            side=before,
        ),
        DRAFT_MODEL,
        LORA_ADAPTERS,
    ),
    pool=UNIFORM_POOL,
)
