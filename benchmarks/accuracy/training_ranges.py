"""Ranges of training readings, calibrated on publications that they were not made from.

Readings of one publication err alike: one machine, one framework, one way of reading. A range is
therefore made so that it would have held about nine of ten readings of each publication that was
left out when it was made (conformal calibration by group).

    allocated  all readings of live tensors alike
    driver     readings of the driver and of the allocator's cache: the first are the second with
               the context, and almost all are of one publication
    reserved   the same readings, each publication weighing the same: few say what the cache took
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from benchmarks.accuracy.scoring import Residual

TAILS = (0.05, 0.04, 0.03, 0.025, 0.02, 0.015, 0.01)
"""Shares that may lie outside on either side; the largest that holds enough of what is left out."""

WANTED = 0.88
POOLS: Mapping[str, frozenset[str]] = {
    "reserved": frozenset({"reserved", "driver"}),
    "driver": frozenset({"reserved", "driver"}),
}
EVEN = frozenset({"reserved"})
"""Terms for whose range every publication weighs the same."""

Bounds = tuple[float, float]
Weight = Callable[[Residual], float]


def pooled(term: str, rows: Sequence[Residual]) -> list[Residual]:
    """The readings that a term's range is made from."""
    kinds = POOLS.get(term, frozenset({term}))
    return [row for row in rows if row.engine == "training" and row.term in kinds]


def training_bounds(term: str, rows: Sequence[Residual]) -> Bounds:
    """Low and high share of a term's range, calibrated by leaving publications out."""
    found = pooled(term, rows)
    for tail in TAILS:
        inside, total = left_out(term, found, tail)
        if inside >= WANTED * total:
            return bounds(term, found, tail)
    return bounds(term, found, TAILS[-1])


def left_out(term: str, rows: Sequence[Residual], tail: float) -> tuple[int, int]:
    """Readings of a term held by bounds made without their publication, and all of them."""
    inside = total = 0
    for publication in sorted({row.stranger for row in rows if row.term == term}):
        others = [row for row in rows if row.stranger != publication]
        own = [row for row in rows if row.stranger == publication and row.term == term]
        low, high = bounds(term, others, tail)
        inside += sum(low <= share(row) <= high for row in own)
        total += len(own)
    return inside, total


def coverage_left_out(term: str, rows: Sequence[Residual]) -> tuple[int, int]:
    """The same at the tail that the term's range has."""
    found = pooled(term, rows)
    for tail in TAILS:
        inside, total = left_out(term, found, tail)
        if inside >= WANTED * total:
            return inside, total
    return left_out(term, found, TAILS[-1])


def share(row: Residual) -> float:
    """How far a reading lies from what was predicted."""
    return row.measured / row.expected - 1


def bounds(term: str, rows: Sequence[Residual], tail: float) -> Bounds:
    """Quantiles at both ends, nothing between them excluded."""
    sizes = Counter(row.stranger for row in rows)
    weighed = sorted((share(row), 1 / sizes[row.stranger] if term in EVEN else 1.0) for row in rows)
    return min(0.0, reached(weighed, tail)), max(0.0, reached(weighed, 1 - tail))


def reached(weighed: Sequence[tuple[float, float]], part: float) -> float:
    """The first value at which the weights reach a part of all of them."""
    goal, sum_so_far = part * sum(weight for _, weight in weighed), 0.0
    for value, weight in weighed:
        sum_so_far += weight
        if sum_so_far >= goal - 1e-9:
            return value
    return weighed[-1][0] if weighed else 0.0
