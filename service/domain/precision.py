"""Number formats and quantizations: how many bytes a tensor takes in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from service.domain.tensors import Kind, Tensor, Tensors
from service.domain.units import bytes_of_bits, ceil_div


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """A plain number format: every value takes `bits`."""

    id: str
    bits: int
    aliases: tuple[str, ...] = ()

    def bytes(self, elements: int) -> int:
        """Bytes of so many values, rounded up."""
        return bytes_of_bits(elements * self.bits)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedFormat:
    """How one matrix is stored: values, and scales a block, row, column or tensor.

    bits            bits a value
    block_rows      output rows that share a scale
    block_columns   input columns that share a scale; 0 means the whole row
    block_bits      bits of scale and zero point a block (a ggml block counts whole: `bits` 0)
    nested_blocks   blocks whose scales share a second scale of `nested_bits`
    row_bits, column_bits, tensor_bits   further bits a row, a column, a tensor
    """

    bits: int = 0
    block_rows: int = 1
    block_columns: int = 0
    block_bits: int = 0
    nested_blocks: int = 0
    nested_bits: int = 0
    row_bits: int = 0
    column_bits: int = 0
    tensor_bits: int = 0

    def bytes(self, rows: int, columns: int) -> int:
        """Bytes of one rows × columns matrix.

        M = ceil((r·c·b + B·b_B + ceil(B/n)·b_n + r·b_r + c·b_c + b_t) / 8)
        B = ceil(r/g_r)·ceil(c/g_c)

        >>> PackedFormat(bits=4, block_columns=128, block_bits=20).bytes(4096, 4096)
        8716288
        """
        blocks = 0
        if self.block_bits:
            blocks = ceil_div(rows, self.block_rows) * ceil_div(
                columns, self.block_columns or columns
            )
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


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Quantization:
    """A way to store the weights: a packed format for each kind of tensor that it packs.

    formats      by kind of tensor; kinds that are absent keep the base precision
    keeps        names (with `*`) of tensors that keep the base precision whatever their kind
    group        input columns that tensor parallelism must not cut through, 1 for any
    kernel       family under which engines say what they run
    quality_rank 0 (as released) to 8, reference: the ranking of `config/quantizations.yaml`
    """

    id: str
    name: str
    kernel: str
    quality_rank: int
    quality_loss: str
    sources: tuple[str, ...]
    formats: Mapping[Kind, PackedFormat] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    group: int = 1
    aliases: tuple[str, ...] = ()
    notes: str = ""

    def packs(self, tensor: Tensor) -> bool:
        """Whether this quantization stores the tensor in a packed format."""
        return (
            tensor.linear
            and tensor.kind in self.formats
            and not any(fnmatchcase(tensor.name, kept) for kept in self.keeps)
        )

    def weight_bytes(self, tensors: Tensors, precision: Precision) -> int:
        """Bytes of a bill: packed tensors in their format, all others in the base precision.

        M = Σ_packed n·M_format(r, c) + ceil(e·Σ_kept n·r·c / 8)
        """
        packed, kept = 0, 0
        for tensor in tensors:
            if self.packs(tensor):
                packed += (
                    self.formats[tensor.kind].bytes(tensor.rows, tensor.columns) * tensor.count
                )
            else:
                kept += tensor.elements
        return packed + precision.bytes(kept)
