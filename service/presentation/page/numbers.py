"""Numbers for a reader: sizes, counts, shares and places in a picture."""

from __future__ import annotations

from service.domain.units import GIB

MANY = 1_000_000


def size(amount_bytes: int) -> str:
    """GiB with two decimals, one from a hundred on."""
    gib = amount_bytes / GIB
    return f"{gib:.1f}" if abs(gib) >= 100 else f"{gib:.2f}"  # ruff: ignore[magic-value-comparison] - three digits are enough


def count(value: float) -> str:
    """A number with separators."""
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def percent(share: float) -> str:
    """A share."""
    return f"{100 * share:.1f} %"


def place(part: float, whole: float) -> float:
    """Where in a picture, in hundredths of its width."""
    return round(100 * part / whole, 2) if whole else 0.0


def short(value: int) -> str:
    """A count of tokens in as few letters as say it exactly: 32k, 1M, 1500."""
    for unit, letter in ((1 << 20, "M"), (1 << 10, "k")):
        if value >= unit and value % unit == 0:
            return f"{value // unit}{letter}"
    return str(value)
