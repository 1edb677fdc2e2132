"""The first bytes of a GGUF file: metadata and tensor infos, read with every length bounded.

Format: ggml `docs/gguf.md`, versions 2 and 3, little-endian. Time is linear in the bytes: every
item of an array takes at least one of them, and no length is believed before as much is there.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.catalog.files.listing import (
    MAX_ELEMENTS,
    MAX_TENSORS,
    Listed,
    UnreadableHeader,
)
from service.domain.packing import PackedFormat

FIELD = "model.gguf_header"
MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_KEYS = 20_000
MAX_KEY_BYTES = 65_535
MAX_DIMENSIONS = 4
MAX_KEPT_ITEMS = 10_000
MAX_DEPTH = 3
STRING, ARRAY = 8, 9
SCALARS: Mapping[int, struct.Struct] = {
    number: struct.Struct("<" + code) for number, code in enumerate("BbHhIif?")
} | {10: struct.Struct("<Q"), 11: struct.Struct("<q"), 12: struct.Struct("<d")}

Value = int | float | bool | str | tuple[int | float | bool, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufHeader:
    """What a GGUF file says before its data; long arrays and lists of texts are not kept."""

    metadata: Mapping[str, Value]
    lengths: Mapping[str, int]
    tensors: tuple[Listed, ...]


class Reader:
    """A place in the bytes; what is asked beyond the end is said to be missing."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, count: int, what: str) -> bytes:
        """The next bytes.

        Raises: UnreadableHeader where they are not there.
        """
        start = self.position
        self.need(count, what)
        self.position += count
        return self.data[start : self.position]

    def need(self, count: int, what: str) -> None:
        """Refuse a header that has not so many bytes left.

        Raises: UnreadableHeader where they are not.
        """
        if count > len(self.data) - self.position:
            raise UnreadableHeader(
                FIELD,
                f"ends after {len(self.data)} bytes, within {what}; send the file's first bytes "
                "up to the end of its tensor infos (a few megabytes where the vocabulary is large)",
            )

    def number(self, layout: struct.Struct, what: str) -> int | float | bool:
        """One number."""
        found: int | float | bool = layout.unpack(self.take(layout.size, what))[0]
        return found

    def count(self, what: str, most: int) -> int:
        """A 64-bit count within bounds."""
        found = int(self.number(SCALARS[10], what))
        if found > most:
            raise UnreadableHeader(FIELD, f"{what} is {found}; at most {most} is read")
        return found

    def word(self, what: str, most: int = MAX_KEY_BYTES) -> str:
        """A short text."""
        size = self.count(f"the length of {what}", most)
        return self.take(size, what).decode("utf-8", errors="replace")

    def items(self, what: str) -> int:
        """A 64-bit count of things that take at least a byte each, so that many are there."""
        found = int(self.number(SCALARS[10], what))
        self.need(found, what)
        return found

    def skip_text(self, what: str) -> None:
        """A text of any length that is there."""
        self.take(self.items(what), what)


def gguf_header(data: bytes, types: Mapping[int, PackedFormat]) -> GgufHeader:
    """Metadata and tensors of a GGUF file's first bytes.

    Raises: UnreadableHeader for anything that is not a whole header.
    """
    reader = Reader(data)
    if reader.take(4, "the magic") != MAGIC:
        raise UnreadableHeader(FIELD, "does not begin with GGUF: no first bytes of a GGUF file")
    version = int(reader.number(SCALARS[4], "the version"))
    if version not in VERSIONS:
        raise UnreadableHeader(FIELD, f"is of version {version}; 2 and 3, little-endian, are read")
    tensors = reader.count("the number of tensors", MAX_TENSORS)
    keys = reader.count("the number of keys", MAX_KEYS)
    metadata: dict[str, Value] = {}
    lengths: dict[str, int] = {}
    for _ in range(keys):
        key = reader.word("a key")
        kind = int(reader.number(SCALARS[4], f"the type of {key[:80]}"))
        metadata[key] = _value(reader, kind, key, lengths)
    found = tuple(_tensor(reader, types) for _ in range(tensors))
    return GgufHeader(metadata=metadata, lengths=lengths, tensors=found)


def _value(reader: Reader, kind: int, key: str, lengths: dict[str, int]) -> Value:
    what = f"the value of {key[:80]}"
    if kind in SCALARS:
        return reader.number(SCALARS[kind], what)
    if kind == STRING:
        start = reader.position
        reader.skip_text(what)
        text = reader.data[start + 8 : reader.position]
        return text[:MAX_KEY_BYTES].decode("utf-8", errors="replace")
    if kind != ARRAY:
        raise UnreadableHeader(FIELD, f"{what} has the unknown type {kind}")
    item = int(reader.number(SCALARS[4], what))
    length = reader.items(what)
    lengths[key] = length
    return _array(reader, item, length, what)


def _array(reader: Reader, item: int, length: int, what: str) -> Value:
    if item in SCALARS:
        layout = SCALARS[item]
        raw = reader.take(layout.size * length, what)
        if length > MAX_KEPT_ITEMS:
            return None
        return tuple(value for (value,) in layout.iter_unpack(raw))
    ITEMS.get(item, _unknown)(reader, length, what, 1)
    return None


def _texts(reader: Reader, length: int, what: str, depth: int) -> None:
    del depth
    for _ in range(length):
        reader.skip_text(what)


def _arrays(reader: Reader, length: int, what: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise UnreadableHeader(FIELD, f"{what} nests arrays too deep")
    for _ in range(length):
        item = int(reader.number(SCALARS[4], what))
        inner = reader.items(what)
        if item in SCALARS:
            reader.take(SCALARS[item].size * inner, what)
        else:
            ITEMS.get(item, _unknown)(reader, inner, what, depth + 1)


def _unknown(reader: Reader, length: int, what: str, depth: int) -> None:
    del reader, length, depth
    raise UnreadableHeader(FIELD, f"{what} has items of an unknown type")


ITEMS: Mapping[int, Callable[[Reader, int, str, int], None]] = {STRING: _texts, ARRAY: _arrays}


def _tensor(reader: Reader, types: Mapping[int, PackedFormat]) -> Listed:
    name = reader.word("a tensor's name")
    what = f"the tensor {name[:80]}"
    dimensions = int(reader.number(SCALARS[4], what))
    if not 1 <= dimensions <= MAX_DIMENSIONS:
        raise UnreadableHeader(FIELD, f"{what} has {dimensions} dimensions; 1 to 4 are read")
    sizes = [reader.count(f"a dimension of {what}", MAX_ELEMENTS) for _ in range(dimensions)]
    number = int(reader.number(SCALARS[4], what))
    reader.take(8, what)
    if number not in types:
        raise UnreadableHeader(FIELD, f"{what} has the unknown ggml type {number}")
    form = types[number]
    found = Listed(name=name, shape=tuple(reversed(sizes)), form=form)
    if found.elements > MAX_ELEMENTS:
        raise UnreadableHeader(FIELD, f"{what} has {found.elements} values, too many for a tensor")
    if form.block_columns and sizes[0] % form.block_columns:
        raise UnreadableHeader(
            FIELD, f"{what} has rows of {sizes[0]}, no whole blocks of {form.block_columns}"
        )
    return found
