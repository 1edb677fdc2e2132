"""Packed formats: how many bytes one matrix takes with its scales, zero points and padding."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.units import bytes_of_bits, ceil_div

PLAIN_BITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFormat:
    """How one matrix is stored: values, and scales a block, row, column or tensor.

    bits            bits a value
    block_rows      output rows that share a scale
    block_columns   input columns that share a scale; 0 means the whole row
    block_bits      bits of scale and zero point a block (a ggml block counts whole: `bits` 0)
    nested_blocks   blocks whose scales share a second scale of `nested_bits`
    row_bits, column_bits, tensor_bits   further bits a row, a column, a tensor
    flat            blocks run on from row to row instead of ending with each
    whole           rows have to be whole blocks; others take the fallback
    fallback        format of such rows; None leaves them in the base precision
    """

    id: str = ""
    bits: int = 0
    block_rows: int = 1
    block_columns: int = 0
    block_bits: int = 0
    nested_blocks: int = 0
    nested_bits: int = 0
    row_bits: int = 0
    column_bits: int = 0
    tensor_bits: int = 0
    flat: bool = False
    whole: bool = False
    fallback: PackedFormat | None = None

    @property
    def packed(self) -> bool:
        """Whether it is smaller than a plain number format of 16 bits or more."""
        return 0 < self.bits < PLAIN_BITS or self.block_bits > 0

    def for_columns(self, columns: int) -> PackedFormat | None:
        """The format that rows of so many columns take: this one, or the first fallback that fits.

        Source: llama.cpp 007dbbf `src/llama-quant.cpp`, tensor_type_fallback.
        """
        found: PackedFormat | None = self
        while found and found.whole and columns % found.block_columns:
            found = found.fallback
        return found

    def blocks(self, rows: int, columns: int) -> int:
        """Blocks of one rows × columns matrix; the last of a row or column may be short."""
        if self.flat:
            return ceil_div(rows * columns, self.block_columns)
        return ceil_div(rows, self.block_rows) * ceil_div(columns, self.block_columns or columns)

    def bytes(self, rows: int, columns: int) -> int:
        """Bytes of one rows × columns matrix.

        M = ceil((r·c·b + B·b_B + ceil(B/n)·b_n + r·b_r + c·b_c + b_t) / 8)
        B = ceil(r/g_r)·ceil(c/g_c), or ceil(r·c/g_c) where blocks are flat

        >>> PackedFormat(bits=4, block_columns=128, block_bits=20).bytes(4096, 4096)
        8716288
        """
        blocks = self.blocks(rows, columns) if self.block_bits else 0
        nested = (
            ceil_div(blocks, self.nested_blocks) * self.nested_bits if self.nested_blocks else 0
        )
        return bytes_of_bits(
            rows * columns * self.bits
            + blocks * self.block_bits
            + nested
            + rows * self.row_bits
            + columns * self.column_bits
            + self.tensor_bits
        )
