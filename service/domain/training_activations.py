"""What autograd keeps of a forward pass, per block and per kind of part."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.adapters import is_adapted
from service.domain.architecture import LayerKind, counts, kind_occurrences
from service.domain.feed_forward import DenseFeedForward, FeedForward, MixtureOfExperts
from service.domain.mixers import Attention, Indexer, Mixer, StateMixer
from service.domain.questions import TrainingRun
from service.domain.training_states import regime_widths

FP32_BYTES = 4
IDS_AND_LABELS_BYTES = 16
NORM_STATISTICS_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Coefficients of one compute regime, in bytes a value.

    norm      of the hidden size, for one trained norm with the casts of the linears behind it
    frozen_norm  the same when the weights are frozen
    gated, plain  of the feed-forward's width when its weights train
    frozen    of the feed-forward's width when they are frozen
    element   bytes of a computed value
    checkpoint  bytes of a hidden value that full checkpointing keeps of a block
    final_norm  of the hidden size, outside the blocks
    """

    norm: int
    frozen_norm: int
    gated: int
    plain: int
    frozen: int
    element: int
    checkpoint: int
    final_norm: int


SIXTEEN_BIT = Keeping(
    norm=8, frozen_norm=4, gated=8, plain=4, frozen=6, element=2, checkpoint=2, final_norm=8
)
AUTOCAST = Keeping(
    norm=13, frozen_norm=4, gated=8, plain=4, frozen=6, element=2, checkpoint=4, final_norm=14
)
SINGLE = Keeping(
    norm=12, frozen_norm=8, gated=16, plain=8, frozen=12, element=4, checkpoint=4, final_norm=12
)
"""Source: allocator replay of transformers 5.23.0 with torch 2.13.0: Llama blocks keep
16h + 8 + 8f + A (bf16), 26h + 8 + 8f + A (autocast over fp32 weights), 24h + 8 + 16f + A (fp32)."""


def keeping(run: TrainingRun) -> Keeping:
    """Coefficients of a run's regime."""
    if regime_widths(run).compute >= FP32_BYTES:
        return SINGLE
    sharded = run.shards > 1
    return AUTOCAST if run.regime == "amp" and not sharded else SIXTEEN_BIT


def attention_bytes(run: TrainingRun, mixer: Mixer) -> int:
    """Kept by one attention for each token. [B]

    A = 4q + 4k + 4a (flash, 16 bit);  8q + 6·a·s (eager, 16 bit);  16q + 4·a·s (fp32 with groups)

    q, k  elements of queries and of keys a token   a  heads   s  sequence tokens

    A mixer with a state keeps what its operators hand on, and no scores.
    """
    if isinstance(mixer, StateMixer | Indexer):
        return keeping(run).element * mixer.kept_width
    query, key, heads, sequence = (
        mixer.query_width,
        mixer.kv_width,
        mixer.heads,
        run.sequence_tokens,
    )
    single = keeping(run).element == FP32_BYTES
    grouped = isinstance(mixer, Attention) and mixer.kv_heads != mixer.heads
    if run.attention == "eager":
        kept = 16 * query + 4 * heads * sequence if single else 8 * query + 6 * heads * sequence
    elif single:
        kept = 16 * query + 4 * heads * sequence if grouped else 8 * query + 8 * key + 4 * heads
    else:
        kept = 4 * query + 4 * key + 4 * heads
    return kept + _head_norm_bytes(run, mixer)


def _head_norm_bytes(run: TrainingRun, mixer: Mixer) -> int:
    if not isinstance(mixer, Attention) or not mixer.query_norm:
        return 0
    copies = 8 if keeping(run).element == FP32_BYTES else 6
    return copies * (mixer.query_width + mixer.kv_width) + 4 * (mixer.heads + mixer.kv_heads)


def feed_forward_bytes(run: TrainingRun, part: FeedForward) -> int:
    """Kept by one feed-forward for each token: its gate, its activation, up and product. [B]"""
    kept = keeping(run)
    trained = kept.gated if part.gated else kept.plain
    width = kept.frozen if run.lora is not None and part.gated else trained
    if isinstance(part, DenseFeedForward):
        return width * part.width
    hidden = 2 * kept.element * part.hidden_size
    routed = part.active_experts * (hidden + width * part.width)
    return routed + width * (part.shared_width + part.dense_width)


def adapter_input_bytes(run: TrainingRun, kind: LayerKind) -> int:
    """Inputs and low-rank products that adapted linears keep for each token. [B]

    2·(c + k) a linear of c inputs and rank k, under autocast
    """
    lora = run.lora
    if lora is None:
        return 0
    adapted = [tensor for tensor in kind.tensors() if is_adapted(tensor, lora.targets)]
    mixtures = [part for part in kind.feed_forwards if isinstance(part, MixtureOfExperts)]
    share = max((part.active_experts for part in mixtures), default=1)
    return sum(
        2 * (tensor.columns + lora.rank) * (share if tensor.kind == "expert" else 1)
        for tensor in adapted
    )


def block_bytes(run: TrainingRun, kind: LayerKind) -> int:
    """Kept for backward by one block, for all tokens of a micro-batch. [B]

    saved = T·(2·(x·h + 4) + A + f-part + adapters)

    T  tokens   h  hidden size   x  copies around a norm   A  attention

    Holds when:  norms and activations are the eager ones of transformers; dropout is 0.
    Source:      allocator replay, see the coefficients above.
    Checked by:  Llama 3.1 8B, bf16, flash, one token: 65,536 + 8 + 114,688 + 20,608 bytes.
    """
    kept, hidden = keeping(run), run.model.hidden_size
    norm = kept.norm if run.lora is None else kept.frozen_norm
    per_token = 2 * (norm * hidden + NORM_STATISTICS_BYTES) + adapter_input_bytes(run, kind)
    per_token += sum(attention_bytes(run, mixer) for mixer in kind.mixers)
    per_token += sum(feed_forward_bytes(run, part) for part in kind.feed_forwards)
    return per_token * run.tokens


def selective_block_bytes(run: TrainingRun, kind: LayerKind) -> int:
    """Kept by one block when every second matrix product is recomputed: 8h + 2k + 2f a token. [B]

    Source: torchtitan `distributed/activation_checkpoint.py`, per-operator policy.
    """
    key = sum(mixer.kv_width for mixer in kind.mixers)
    width = sum(
        part.active_experts * part.width if isinstance(part, MixtureOfExperts) else part.width
        for part in kind.feed_forwards
    )
    scale = keeping(run).element // 2
    return scale * (8 * run.model.hidden_size + 2 * key + 2 * width) * run.tokens


def checkpointed_block_bytes(run: TrainingRun) -> int:
    """Kept of one fully checkpointed block: its input, fp32 in a model prepared for k-bit. [B]"""
    prepared = run.lora is not None and run.lora.fp32_residual
    width = FP32_BYTES if prepared else keeping(run).checkpoint
    return width * run.model.hidden_size * run.tokens


def kept_block_bytes(run: TrainingRun, kind: LayerKind) -> int:
    """Kept of one block until its backward, under the run's checkpointing. [B]"""
    if run.activation_checkpointing == "full":
        return checkpointed_block_bytes(run)
    if run.activation_checkpointing == "selective":
        return selective_block_bytes(run, kind)
    return block_bytes(run, kind)


def saved_bytes(run: TrainingRun) -> int:
    """Kept by all blocks and by what surrounds them at the end of the forward pass. [B]"""
    occurrences = kind_occurrences(run.model)
    blocks = sum(
        kept_block_bytes(run, kind) * times
        for kind, times in zip(run.model.layer_kinds, occurrences, strict=True)
    )
    kept, hidden = keeping(run), run.model.hidden_size
    final = kept.final_norm if run.lora is None else kept.frozen_norm
    around = (final * hidden + NORM_STATISTICS_BYTES + IDS_AND_LABELS_BYTES) * run.tokens
    return blocks + around


def largest_block_bytes(run: TrainingRun) -> int:
    """Kept by the block that keeps most, when it is computed in full. [B]"""
    return max((block_bytes(run, kind) for kind in run.model.layer_kinds), default=0)


def block_gradient_bytes(run: TrainingRun) -> int:
    """Gradients of activations that live while one block is walked back: (e·h + 2e·f)·T. [B]"""
    element = keeping(run).element
    width = 0
    for kind in run.model.layer_kinds:
        for part in kind.feed_forwards:
            copies = 2 if part.gated else 1
            width = max(width, copies * element * part.active_width)
    return (element * run.model.hidden_size + width) * run.tokens


def weight_cast_bytes(run: TrainingRun) -> int:
    """16-bit copies of fp32 weights that autocast keeps until backward has used them. [B]"""
    if run.regime != "amp" or run.lora is not None or keeping(run) is not AUTOCAST:
        return 0
    matrices = sum(t.elements for t in counts(run.model).bill if t.linear and t.kind != "embedding")
    tied = sum(t.elements for t in run.model.embeddings if t.linear) if run.model.tied else 0
    return 2 * (matrices + tied)


def recomputed_block_bytes(run: TrainingRun) -> int:
    """What one block adds again while it is recomputed for its backward. [B]"""
    if run.activation_checkpointing == "none":
        return 0
    return largest_block_bytes(run)
