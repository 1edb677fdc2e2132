"""Comparisons as data."""

from __future__ import annotations

from typing import Any

from service.domain.observations import Comparison, Difference

WHOLE_PERCENT = 100


def difference_view(row: Difference) -> dict[str, Any]:
    """One quantity; counts keep their names, bytes carry theirs."""
    unit = "_bytes" if row.name.endswith(("_bytes", "bytes_per_token")) else ""
    share = row.difference / row.expected * WHOLE_PERCENT if row.expected else None
    return {
        "name": row.name,
        f"measured{unit}": row.measured,
        f"low{unit}": row.low,
        f"expected{unit}": row.expected,
        f"high{unit}": row.high,
        f"difference{unit}": row.difference,
        "difference_percent": None if share is None else round(share, 2),
        "inside_range": row.inside_range,
        "likely_cause": row.likely_cause,
        "cause_source": row.cause_source,
    }


def comparison_view(found: Comparison) -> dict[str, Any]:
    """All quantities, and the block that would close their differences."""
    return {
        "quantities": [difference_view(row) for row in found.differences],
        "overrides": dict(found.overrides),
        "not_compared": list(found.not_compared),
    }
