"""Tensors as files list them: names, shapes and stored formats, before they become a bill."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.errors import InvalidRequest
from service.domain.packing import PackedFormat

MAX_TENSORS = 250_000
MAX_DIMENSIONS = 8
MAX_ELEMENTS = 1 << 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One tensor of a file: `shape` from the outermost dimension to the innermost."""

    name: str
    shape: tuple[int, ...]
    form: PackedFormat

    @property
    def elements(self) -> int:
        """Number of values."""
        found = 1
        for size in self.shape:
            found *= size
        return found

    @property
    def bytes(self) -> int:
        """Bytes in the file."""
        columns = self.shape[-1] if self.shape else 1
        return self.form.bytes(self.elements // max(columns, 1), columns) if self.elements else 0


class UnreadableHeader(InvalidRequest):
    """A header that is not one, and where it goes wrong."""
