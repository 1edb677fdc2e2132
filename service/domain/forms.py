"""The shape of a memory term and of an engine: amounts apart from the words that explain them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.domain.architecture import Stage
from service.domain.engine import SURE, Doubt
from service.domain.profiles import Profile
from service.domain.questions import Placement, Serving, Split
from service.domain.results import Amount, Provenance, Side, Term, Value
from service.domain.units import bytes_of_gib

Quantity = Callable[[Serving, Stage], int]
ACTIVATION_BYTES = 2
FP32_BYTES = 4
SHAPE_DOUBT = Doubt(low_share=-0.75, high_share=3.0)
"""A cache of a typical shape: published models of one size differ by four times either way."""

FAMILY_DOUBT = Doubt(low_share=-0.35, high_share=0.5)
"""What follows the shape of an unknown family that is read as a plain decoder: a feed-forward of
two matrices read as three, or the other way round, moves it by a third; windows, shared caches and
further norms move it less."""


def inside(serving: Serving) -> Side:
    """The side of what an engine counts inside its share, whatever the version."""
    del serving
    return "inside"


def beside(serving: Serving) -> Side:
    """The side of what comes on top of an engine's share."""
    del serving
    return "beside"


def before(serving: Serving) -> Side:
    """The side of what is on the card before the engine measures what is free."""
    del serving
    return "before"


def cached(serving: Serving) -> Side:
    """The side of what fills the pool that sequences share."""
    del serving
    return "cache"


def always(serving: Serving) -> bool:
    """A term that every question has."""
    del serving
    return True


FROM_FILE = "the tensors of the given file"


@dataclass(frozen=True, slots=True, kw_only=True)
class TermForm:
    """One memory term: its bytes for a question, and apart from them the words.

    expected  bytes on the fullest rank of a stage
    values    the numbers of this request that the formula names
    source    where the formula is from, or the key under which the profile says it
    side      where the engine counts it
    present   whether a question has it
    shape     whether it follows the model's shape, which may only be assumed
    from_file whether the tensors of a given file settle it, whatever the shape
    shape_doubt  how far readings lie where the shape is assumed
    stated       bytes that the caller has measured, in place of the formula
    follows_held  whether it follows the sequences that a replica holds, beyond the limits of a step
    each_sequence  whether it is as many bytes for each of them
    """

    name: str
    expected: Quantity
    values: Callable[[Serving, Stage], Mapping[str, Value]]
    formula: str
    provenance: Provenance
    source: str
    side: Callable[[Serving], Side] = inside
    present: Callable[[Serving], bool] = always
    shape: bool = False
    from_file: bool = False
    shape_doubt: Doubt = SHAPE_DOUBT
    stated: Callable[[Serving], Amount] | None = None
    follows_held: bool = True
    each_sequence: bool = False

    def amount(self, serving: Serving, stage: Stage) -> Amount:
        """Bytes with their range; no words are built."""
        if self.stated is not None:
            return self.stated(serving)
        size = self.expected(serving, stage)
        return ranged(size, self.doubt(serving))

    def assumed(self, serving: Serving) -> bool:
        """Whether it follows a shape that is only assumed."""
        read = self.from_file and serving.model.stored is not None
        model = serving.model
        return self.shape and (model.shape_is_assumed or model.family_is_assumed) and not read

    def doubt(self, serving: Serving) -> Doubt:
        """How far readings lie from the formula."""
        if self.assumed(serving):
            return FAMILY_DOUBT if serving.model.family_is_assumed else self.shape_doubt
        return serving.engine.doubt(self.name)

    def term(self, serving: Serving, stage: Stage) -> Term:
        """The term with its explanation."""
        read = self.from_file and serving.model.stored is not None
        source = FROM_FILE if read else serving.profile.sources.get(self.source, self.source)
        return Term(
            name=self.name,
            amount=self.amount(serving, stage),
            formula=self.formula,
            values=self.values(serving, stage),
            provenance="assumed" if self.assumed(serving) else self.provenance,
            source=source,
            side=self.side(serving),
        )


def ranged(size_bytes: int, doubt: Doubt) -> Amount:
    """An amount with the range of its doubt; nothing stays nothing."""
    if size_bytes == 0 or doubt is SURE:
        return Amount.exactly(size_bytes)
    low = size_bytes + round(size_bytes * doubt.low_share) + bytes_of_gib(doubt.low_gib)
    high = size_bytes + round(size_bytes * doubt.high_share) + bytes_of_gib(doubt.high_gib)
    return Amount(low=max(0, min(low, size_bytes)), expected=size_bytes, high=max(high, size_bytes))


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolForm:
    """How an engine lays out what sequences share.

    sequence_bytes  what one sequence of so many tokens takes on a rank
    block_bytes     the step in which the pool is cut
    token_bytes     what one more token takes where no window is full
    tokens          tokens of a pool of so many bytes, as this version of the engine prints them
    """

    sequence_bytes: Callable[[Serving, Stage, int], int]
    block_bytes: Quantity
    token_bytes: Quantity
    tokens: Callable[[Serving, Stage, int], int]


def stated_share(
    profile: Profile, memory_bytes: int | None, step_tokens: int, split: Split
) -> float:
    """The share of a card that the version's profile states."""
    del memory_bytes, step_tokens, split
    return profile.memory_utilization


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineModel:
    """An engine's memory: its weights, its terms with these first, and its pool.

    share  of a card that it takes where the caller names none, by card, tokens of a step and split
    """

    weights: Callable[[Placement, Profile, Stage], int]
    terms: tuple[TermForm, ...]
    pool: PoolForm
    share: Callable[[Profile, int | None, int, Split], float] = stated_share
