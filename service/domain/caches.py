"""What a layer keeps of a sequence while it is served: rows that grow with tokens, and states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from service.domain.units import ceil_div

Source = Literal["context", "encoder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheRow:
    """Values that one rank of a layer keeps of every token.

    elements        values of one row
    window_tokens   tokens that the layer looks back over, 0 for all of them
    tokens_per_row  tokens that share one row, more than one where the cache is compressed
    bits            width of a value where it does not follow the type of the cache
    source          whose tokens are counted: the context's, or an encoder's output
    """

    elements: int
    window_tokens: int = 0
    tokens_per_row: int = 1
    bits: int | None = None
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


@dataclass(frozen=True, slots=True, kw_only=True)
class StateRow:
    """A state of fixed size that one rank of a layer keeps of every sequence.

    bits  width of a value where it does not follow the type of the model
    """

    name: str
    elements: int
    bits: int | None = None
