"""What the profiles of all engines have in common: versions, ranges and batch defaults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A measured or derived quantity with the range that holds nine of ten readings."""

    low: float
    expected: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ByRanks:
    """A quantity in GiB that depends on the ranks of a group."""

    ranks: int
    gib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareByRanks:
    """A share of something that depends on the ranks of a group."""

    ranks: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchDefaults:
    """Default batch limits on cards of at least `min_card_gib`, the excepted families aside.

    whole_context_up_to   contexts up to this length are computed in one step, however long
    chunk_tokens          tokens of a step beyond that length
    large_links           whether such cards are linked by switches, for which engines keep buffers
    products              words of which a card's name has to hold one, empty for any card
    kernels               names of kernels with a memory of their own that run on such cards
    """

    min_card_gib: float
    max_sequences: int
    max_batched_tokens: int
    except_products: tuple[str, ...] = ()
    whole_context_up_to: int = 0
    chunk_tokens: int = 0
    large_links: bool = False
    products: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()

    def step_tokens(self, context_tokens: int) -> int:
        """Tokens of the largest step at a context."""
        if not self.whole_context_up_to:
            return self.max_batched_tokens
        if context_tokens > self.whole_context_up_to:
            return self.chunk_tokens
        return max(self.max_batched_tokens, context_tokens)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BaseProfile:
    """Defaults of one version range of any engine.

    since               first version of the range
    memory_utilization  share of a card that the engine takes, 1 where it takes what it needs
    margin_gib          kept free on a card
    batch_defaults      first entry whose card size fits applies
    block_tokens        tokens of one block of the cache, where nothing enlarges it
    flash_choice        whether the caller may turn flash attention off
    long_contexts       whether contexts beyond the model's limit are run, with a warning
    sources             where each of the profile's numbers is from
    state_bits          width of a state's values by its kind; absent: the type of the model
    state_inputs        whether a convolution's state holds the current input too
    blocks_bound_sequences  whether it refuses more sequences than its pool has blocks, where
                        models keep states
    sparse_caches       class of hardware -> type of cache that `auto` means there for sparse
                        attention
    kernel_layouts      kernel family -> class of hardware -> layout of the kernel that runs there
    """

    since: str
    memory_utilization: float = 1.0
    margin_gib: float = 0.0
    batch_defaults: tuple[BatchDefaults, ...]
    block_tokens: int = 1
    flash_choice: bool = False
    long_contexts: bool = False
    sources: Mapping[str, str]
    state_bits: Mapping[str, int] = field(default_factory=dict)
    state_inputs: bool = False
    blocks_bound_sequences: bool = False
    sparse_caches: Mapping[str, str] = field(default_factory=dict)
    kernel_layouts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


def version_key(version: str) -> tuple[int, ...]:
    """A version as numbers that compare: "0.19.0" and "0.19" alike, suffixes cut off."""
    numbers = []
    for part in version.split(".")[:4]:
        digits = "".join(character for character in part if character.isdigit())
        if not digits or not part[0].isdigit():
            break
        numbers.append(int(digits[:6]))
    return tuple(numbers + [0] * (4 - len(numbers)))


def share_by_ranks(table: tuple[ShareByRanks, ...], ranks: int) -> float:
    """The share in the row of the largest rank count that is not above `ranks`."""
    fitting = [row for row in table if row.ranks <= ranks]
    return (fitting or list(table))[-1].share


def by_ranks(table: tuple[ByRanks, ...], ranks: int) -> float:
    """The row of the largest rank count that is not above `ranks`. [GiB]"""
    fitting = [row for row in table if row.ranks <= ranks]
    return (fitting or list(table))[-1].gib
