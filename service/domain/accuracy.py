"""How far off the service was where others measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Errors of one value of one engine in one set of published runs, as shares of the measured.

    covered  share of the readings that low..high held, None where the value has no range
    """

    engine: str
    value: str
    group: str
    count: int
    median: float
    nine_of_ten: float
    covered: float | None = None
