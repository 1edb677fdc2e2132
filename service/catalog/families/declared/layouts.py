"""Formats that a config states by numbers: bits, group size, zero points, scales."""

from __future__ import annotations

from service.domain.packing import PackedFormat

WHOLE_ROW = -1
SCALE_BITS, WIDE_SCALE_BITS, INDEX_BITS, SHAPE_BITS = 16, 32, 32, 128
MICRO_SCALE_BITS = 8
MAX_BITS, MAX_GROUP = 8, 1 << 16


def grouped(bits: int, group: int, *, zero: bool, ordered: bool = False) -> PackedFormat:
    """Integers in groups of columns with an fp16 scale each, and a zero point of as many bits.

    A group size of -1 is the whole row. `ordered` stores the group of every column (GPTQ's g_idx).
    """
    block = SCALE_BITS + (bits if zero else 0)
    index = INDEX_BITS if ordered else 0
    if group == WHOLE_ROW:
        return PackedFormat(id=f"int{bits}-row", bits=bits, row_bits=block, column_bits=index)
    return PackedFormat(
        id=f"int{bits}-g{group}",
        bits=bits,
        block_columns=group,
        block_bits=block,
        column_bits=index,
        whole=not ordered,
    )


def per_row(bits: int) -> PackedFormat:
    """One fp32 scale an output row."""
    return PackedFormat(id=f"{bits}-bit-row", bits=bits, row_bits=WIDE_SCALE_BITS)


def per_tensor(bits: int, *, static: bool) -> PackedFormat:
    """One fp32 scale, and one for the input where it is fixed beforehand."""
    scales = WIDE_SCALE_BITS * (2 if static else 1)
    return PackedFormat(id=f"{bits}-bit-tensor", bits=bits, tensor_bits=scales)


def per_block(bits: int, rows: int, columns: int) -> PackedFormat:
    """One fp32 scale a block of rows × columns; the last blocks may be short."""
    return PackedFormat(
        id=f"{bits}-bit-block-{rows}x{columns}",
        bits=bits,
        block_rows=rows,
        block_columns=columns,
        block_bits=WIDE_SCALE_BITS,
    )


def microscaled(bits: int, group: int, *, tensor_scales: int = 0) -> PackedFormat:
    """An 8-bit scale a group (MX, NVFP4), and so many fp32 scales a tensor."""
    return PackedFormat(
        id=f"fp{bits}-g{group}",
        bits=bits,
        block_columns=group,
        block_bits=MICRO_SCALE_BITS,
        tensor_bits=tensor_scales * WIDE_SCALE_BITS,
        whole=True,
    )


def affine(bits: int, group: int) -> PackedFormat:
    """MLX and HQQ: an fp16 scale and an fp16 offset a group."""
    return PackedFormat(
        id=f"int{bits}-affine-g{group}",
        bits=bits,
        block_columns=group,
        block_bits=2 * SCALE_BITS,
        whole=True,
    )


def four_bit_floats(*, double: bool) -> PackedFormat:
    """bitsandbytes: an fp32 maximum for 64 values, or an 8-bit one and fp32 for 256 of those."""
    if double:
        return PackedFormat(
            id="nf4-dq",
            bits=4,
            block_columns=64,
            block_bits=8,
            nested_blocks=256,
            nested_bits=WIDE_SCALE_BITS,
            flat=True,
        )
    return PackedFormat(id="nf4", bits=4, block_columns=64, block_bits=WIDE_SCALE_BITS, flat=True)
