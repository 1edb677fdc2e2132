"""What a layer keeps of a sequence while it is served: rows that grow with tokens, and states."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

from service.domain.units import ceil_div

Source = Literal["context", "encoder"]
FP8_BITS = 8
StateKind = Literal["convolution", "recurrent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRow:
    """Values that one rank of a layer keeps of every token.

    elements        values of one row
    window_tokens   tokens that the layer looks back over, 0 for all of them
    tokens_per_row  tokens that share one row, more than one where the cache is compressed
    bits            width of a value where it does not follow the type of the cache
    scale_bits      width of what stands beside the values of a row whose type is fixed
    fp8_extra_bits  what a row in fp8 takes beyond 8 bits a value: scales, parts left in 16 bit
    staged          whether the values are kept only until they have been compressed
    source          whose tokens are counted: the context's, or an encoder's output
    """

    elements: int
    window_tokens: int = 0
    tokens_per_row: int = 1
    bits: int | None = None
    scale_bits: int = 0
    fp8_extra_bits: int = 0
    staged: bool = False
    source: Source = "context"

    def resident_tokens(self, context_tokens: int, step_tokens: int) -> int:
        """Tokens kept of one sequence: the window, and the tokens of the step being computed.

        Source: vLLM `v1/kv_cache_interface.py`, SlidingWindowSpec.max_memory_usage_bytes:
        min(window - 1 + max_num_batched_tokens, max_model_len).
        """
        if not self.window_tokens:
            return context_tokens
        return min(context_tokens, self.window_tokens - 1 + step_tokens)

    def rows(self, tokens: int) -> int:
        """Rows of so many tokens."""
        return ceil_div(tokens, self.tokens_per_row)

    def row_bits(self, cache_bits: float) -> int:
        """Bits of one row in a cache whose values take `cache_bits`."""
        extra = self.fp8_extra_bits if cache_bits == FP8_BITS and not self.bits else 0
        return ceil(self.elements * (self.bits or cache_bits)) + self.scale_bits + extra


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """A state of fixed size that one rank of a layer keeps of every sequence.

    kind            the last inputs of a convolution, or what a recurrence carries on
    elements        values as servers keep them
    bits            width of a value where the model fixes it, else the engine's rule
    input_elements  the current input of a convolution, which transformers keeps too
    """

    kind: StateKind
    elements: int
    bits: int | None = None
    input_elements: int = 0


def convolution_state(channels: int, kernel: int) -> tuple[StateRow, ...]:
    """The inputs of a causal convolution that the next token needs: all but its own.

    Source: vLLM 0.33 `model_executor/layers/mamba/mamba_utils.py`, *_state_shape: kernel - 1;
    transformers 5.23.0 `cache_utils.py`, LinearAttentionLayer: kernel.

    >>> convolution_state(8192, 4)[0].elements
    24576
    """
    if kernel <= 1:
        return ()
    return (
        StateRow(kind="convolution", elements=channels * (kernel - 1), input_elements=channels),
    )
