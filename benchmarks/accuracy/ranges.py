"""How far nine of ten readings lie from a term, from the residuals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from benchmarks.accuracy.scoring import TRAINING, Residual
from benchmarks.accuracy.statistics import grouped, quantile
from benchmarks.accuracy.training_ranges import training_bounds

GIB = 2**30
FEW = 5
"""With fewer readings the engine's own stated range is kept."""

TAIL = 0.05
Range = Mapping[str, float]


def range_of(rows: Sequence[Residual]) -> Range:
    """The narrower of two ranges that hold nine of ten readings: by share, or by GiB.

    low ≤ 0 ≤ high. With few readings the quantiles are the extremes.
    """
    shares = [row.measured / row.expected - 1 for row in rows if row.expected]
    gibs = [(row.measured - row.expected) / GIB for row in rows]
    by_share, by_gib = tails(shares), tails(gibs)
    mean_gib = sum(row.expected for row in rows) / len(rows) / GIB
    if (by_share[1] - by_share[0]) * mean_gib < by_gib[1] - by_gib[0]:
        return {"low_share": rounded(by_share[0]), "high_share": rounded(by_share[1])}
    return {"low_gib": rounded(by_gib[0]), "high_gib": rounded(by_gib[1])}


def tails(values: Sequence[float]) -> tuple[float, float]:
    """Both ends that leave one value in twenty outside, nothing between them excluded."""
    if not values:
        return (0.0, 0.0)
    low = -quantile([-value for value in values], 1 - TAIL)
    return (min(0.0, low), max(0.0, quantile(values, 1 - TAIL)))


def rounded(value: float) -> float:
    """Four decimals, away from nothing."""
    step = 1e-4
    return round(-(-value // step) * step if value > 0 else value // step * step, 4)


def term_rows(rows: Iterable[Residual]) -> Mapping[tuple[str, ...], list[Residual]]:
    """Residuals of terms by engine and term."""
    return grouped(
        (row for row in rows if row.term is not None), lambda row: (row.engine, str(row.term))
    )


def ranges(rows: Sequence[Residual]) -> Mapping[str, Mapping[str, Range]]:
    """Engine → term → range, where enough readings are at hand."""
    found: dict[str, dict[str, Range]] = {}
    for (engine, term), group in term_rows(rows).items():
        if len(group) >= FEW:
            made = training_range(term, rows) if engine == TRAINING else range_of(group)
            found.setdefault(engine, {})[term] = {**made, "readings": len(group)}
    return found


def training_range(term: str, rows: Sequence[Residual]) -> Range:
    """By share alone: whole training runs span orders of size, so that GiB would say nothing."""
    low, high = training_bounds(term, rows)
    return {"low_share": rounded(low), "high_share": rounded(high)}


def held(row: Residual, found: Range) -> bool:
    """Whether a range around the formula's value holds the reading."""
    low = row.expected * (1 + found.get("low_share", 0)) + found.get("low_gib", 0) * GIB
    high = row.expected * (1 + found.get("high_share", 0)) + found.get("high_gib", 0) * GIB
    return low - row.floor <= row.measured <= high + row.floor


def coverage_of_strangers(rows: Sequence[Residual]) -> tuple[int, int]:
    """Readings held by ranges made without their own kind, and all of them.

    The kind is the model's family.
    """
    inside = total = 0
    for family in sorted({row.stranger for row in rows}):
        others = [row for row in rows if row.stranger != family]
        if len(others) < FEW:
            continue
        found = range_of(others)
        own = [row for row in rows if row.stranger == family]
        inside += sum(held(row, found) for row in own)
        total += len(own)
    return inside, total
