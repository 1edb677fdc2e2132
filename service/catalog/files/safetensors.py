"""The header of a safetensors file, or the index of several, as JSON from a stranger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.catalog.files.listing import (
    MAX_DIMENSIONS,
    MAX_ELEMENTS,
    MAX_TENSORS,
    Listed,
    UnreadableHeader,
)
from service.domain.packing import PackedFormat

FIELD = "model.safetensors_index"
MAX_NAME = 500
MAX_TOTAL_BYTES = 1 << 50
PARTS = frozenset({"dtype", "shape", "data_offsets"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What an index says: names and the bytes of all together, but no shapes."""

    names: tuple[str, ...]
    total_bytes: int


def read_safetensors(
    data: Mapping[str, object], types: Mapping[str, PackedFormat]
) -> Index | tuple[Listed, ...]:
    """An index with its total, or the tensors of a header.

    Raises: UnreadableHeader naming the entry and what is wrong.
    """
    if not data:
        raise UnreadableHeader(FIELD, "is empty; send an index or a file's header")
    if len(data) > MAX_TENSORS:
        raise UnreadableHeader(FIELD, f"has more than {MAX_TENSORS} entries")
    if "weight_map" in data:
        return _index(data)
    rows = {name: row for name, row in data.items() if name != "__metadata__"}
    return tuple(_listed(name, row, types) for name, row in rows.items())


def _index(data: Mapping[str, object]) -> Index:
    names, metadata = data["weight_map"], data.get("metadata")
    if not isinstance(names, Mapping) or not 0 < len(names) <= MAX_TENSORS:
        raise UnreadableHeader(
            f"{FIELD}.weight_map", f"must name 1 to {MAX_TENSORS} tensors and their files"
        )
    total = metadata.get("total_size") if isinstance(metadata, Mapping) else None
    if isinstance(total, bool) or not isinstance(total, int) or not 0 < total <= MAX_TOTAL_BYTES:
        raise UnreadableHeader(
            f"{FIELD}.metadata.total_size", "must be the bytes of all tensors, a whole number"
        )
    return Index(names=tuple(str(name)[:MAX_NAME] for name in names), total_bytes=total)


def _listed(name: str, row: object, types: Mapping[str, PackedFormat]) -> Listed:
    place = f"{FIELD}.{name[:200]}"
    if not isinstance(row, Mapping) or set(row) != PARTS:
        raise UnreadableHeader(place, "must have dtype, shape and data_offsets, and nothing else")
    dtype = row["dtype"]
    if not isinstance(dtype, str) or dtype not in types:
        raise UnreadableHeader(f"{place}.dtype", f"must be one of {', '.join(sorted(types))}")
    found = Listed(name=name[:MAX_NAME], shape=_shape(row["shape"], place), form=types[dtype])
    begin, end = _offsets(row["data_offsets"], place)
    if found.elements > MAX_ELEMENTS or end - begin != found.bytes:
        raise UnreadableHeader(
            f"{place}.data_offsets",
            f"span {end - begin} bytes, but {dtype} of shape {list(found.shape)} takes "
            f"{found.bytes}",
        )
    return found


def _shape(value: object, place: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS or not all(map(_count, value)):
        raise UnreadableHeader(
            f"{place}.shape", f"must be at most {MAX_DIMENSIONS} whole numbers from 0 to 2^48"
        )
    return tuple(value)


def _offsets(value: object, place: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2 or not all(map(_count, value)):  # ruff: ignore[magic-value-comparison] - begin and end
        raise UnreadableHeader(f"{place}.data_offsets", "must be two whole numbers, begin and end")
    return value[0], value[1]


def _count(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int) and 0 <= value <= MAX_TOTAL_BYTES
