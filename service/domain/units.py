"""Units of memory and the roundings that every formula shares."""

from __future__ import annotations

MIB = 1 << 20
GIB = 1 << 30
GB = 10**9
BITS_PER_BYTE = 8


def ceil_div(numerator: int, denominator: int) -> int:
    """Quotient of two whole numbers, rounded up."""
    return -(-numerator // denominator)


def round_up(value: int, multiple: int) -> int:
    """Smallest multiple of `multiple` that is not below `value`."""
    return ceil_div(value, multiple) * multiple


def bytes_of_bits(bits: int) -> int:
    """Whole bytes that hold so many bits."""
    return ceil_div(bits, BITS_PER_BYTE)


def bytes_of_gib(gib: float) -> int:
    """Whole bytes of a quantity that a source states in GiB."""
    return round(gib * GIB)
