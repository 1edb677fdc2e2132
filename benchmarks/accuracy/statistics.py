"""Medians, percentiles and coverage of residuals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.accuracy.scoring import Residual

NINE_OF_TEN = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Errors of one group of residuals, as shares of what was measured."""

    count: int
    median: float
    nine_of_ten: float
    worst: float
    worst_case: str
    bias: float
    covered: float | None


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all values do not exceed."""
    ordered = sorted(values)
    index = max(0, -(-round(share * len(ordered) * 1e6) // 1_000_000) - 1)
    return ordered[min(index, len(ordered) - 1)]


def median(values: Sequence[float]) -> float:
    """The middle of all values."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def summary(rows: Sequence[Residual]) -> Summary:
    """Errors of a group."""
    errors = [abs(row.error) for row in rows]
    worst = max(rows, key=lambda row: abs(row.error))
    return Summary(
        count=len(rows),
        median=median(errors),
        nine_of_ten=quantile(errors, NINE_OF_TEN),
        worst=abs(worst.error),
        worst_case=worst.case,
        bias=median([row.error for row in rows]),
        covered=covered(rows),
    )


def covered(rows: Sequence[Residual]) -> float | None:
    """How often the range held what was measured, None where no value has a range."""
    if not any(row.ranged for row in rows):
        return None
    return sum(row.covered for row in rows) / len(rows)


def grouped(
    rows: Iterable[Residual], key: Callable[[Residual], tuple[str, ...]]
) -> Mapping[tuple[str, ...], list[Residual]]:
    """Residuals by a key, keys in order."""
    found: dict[tuple[str, ...], list[Residual]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return dict(sorted(found.items()))
