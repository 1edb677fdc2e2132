"""What checkpointed blocks keep for their backward: an input, some products, all but scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from service.domain.architecture import LayerKind
from service.domain.feed_forward import MixtureOfExperts
from service.domain.questions import TrainingRun
from service.domain.tape import Regime, Walk, block_walk


@dataclass(frozen=True, slots=True)
class Block:
    """A block of a run."""

    run: TrainingRun
    regime: Regime
    kind: LayerKind
    hidden_size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpointed block keeps for its backward, and what stands beside its walk then."""

    kept: int
    beside: int


def block_input(block: Block) -> int:
    """What goes into a block. [B]"""
    return block.regime.other * block.hidden_size * block.run.tokens


def _entry(block: Block, walk: Walk) -> int:
    return walk.kept_input.at(block.run.tokens, block.run.sequence_tokens)


def _input_only(block: Block, walk: Walk) -> Checkpoint:
    kept = block_input(block)
    return Checkpoint(kept=kept, beside=kept - _entry(block, walk))


def _on_host(block: Block, walk: Walk) -> Checkpoint:
    """The input waits in host memory and comes back for the block's backward.

    Source: unsloth-zoo `gradient_checkpointing.py`, Unsloth_Offloaded_Gradient_Checkpointer.
    """
    return Checkpoint(kept=0, beside=block_input(block) - _entry(block, walk))


def _selected(block: Block, walk: Walk) -> Checkpoint:
    return SELECTED[block.run.framework_profile.selective](block, walk)


def _every_second_product(block: Block, walk: Walk) -> Checkpoint:
    """Input, attention's output, and the results of every second product: 8h + 2k + 2f a token.

    Source: torchtitan `distributed/activation_checkpoint.py`, per-operator policy.
    """
    kind = block.kind
    width = sum(2 * mixer.query_width + mixer.kv_width for mixer in kind.mixers)
    width += sum(
        part.active_experts * part.width if isinstance(part, MixtureOfExperts) else part.width
        for part in kind.feed_forwards
    )
    kept = block.regime.compute * (2 * block.hidden_size + width) * block.run.tokens
    return Checkpoint(kept=kept, beside=kept - _entry(block, walk))


def _core_attention(block: Block, walk: Walk) -> Checkpoint:
    """All but the scores of attention: with a flash kernel, which writes none, everything.

    Source: Megatron-LM 0.20 `core/transformer/attention.py`, checkpoint_core_attention;
    Korthikanti et al. 2022, arXiv 2205.05198, section 5.
    """
    tokens, sequence = block.run.tokens, block.run.sequence_tokens
    if block.regime.kernel != "eager":
        return Checkpoint(kept=walk.kept.at(tokens, sequence), beside=0)
    flash = block_walk(block.kind, block.hidden_size, replace(block.regime, kernel="flash"))
    return Checkpoint(kept=flash.kept.at(tokens, sequence), beside=0)


Checkpointing = Callable[[Block, Walk], Checkpoint]
CHECKPOINTED: Mapping[str, Checkpointing] = {
    "selective": _selected,
    "full": _input_only,
    "offloaded": _on_host,
}
"""What keeps less than autograd would."""

SELECTED: Mapping[str, Checkpointing] = {
    "products": _every_second_product,
    "attention": _core_attention,
}
"""What frameworks mean by selective."""
