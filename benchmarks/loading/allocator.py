"""Torch's caching allocator in small: segments from the driver, blocks cut from them, best fit.

Source: torch `c10/cuda/CUDACachingAllocator.cpp`: kSmallSize, kSmallBuffer, kLargeBuffer,
kMinLargeAlloc, kRoundLarge; should_split; release_cached_blocks.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass, field

MIB = 1 << 20
ROUND, SMALL = 512, MIB
SMALL_SEGMENT, MIDDLE_SEGMENT, LARGE_STEP = 2 * MIB, 20 * MIB, 2 * MIB
LARGE = 10 * MIB


@dataclass(slots=True, kw_only=True, eq=False)
class Block:
    """A part of a segment, with its neighbours."""

    address: int
    size: int
    segment: int
    small: bool
    free: bool = False
    before: Block | None = None
    after: Block | None = None

    @property
    def order(self) -> tuple[int, int]:
        """Free blocks are searched by size, then by address."""
        return (self.size, self.address)


def segment_bytes(size: int) -> int:
    """What is asked of the driver for a block of a size."""
    if size <= SMALL:
        return SMALL_SEGMENT
    return MIDDLE_SEGMENT if size < LARGE else -(-size // LARGE_STEP) * LARGE_STEP


@dataclass(slots=True, kw_only=True)
class Pool:
    """Bytes in use and bytes held of the driver."""

    allocated: int = 0
    reserved: int = 0
    _next: int = 0
    _free: dict[bool, list[Block]] = field(default_factory=lambda: {True: [], False: []})

    def take(self, size: int) -> Block:
        """A block of at least so many bytes: the best free one, else of a new segment."""
        size = max(ROUND, -(-size // ROUND) * ROUND)
        small = size <= SMALL
        found = self._best(size, small=small) or self._grown(size, small=small)
        rest = found.size - size
        if rest >= ROUND if small else rest > SMALL:
            self._cut(found, size)
        found.free = False
        self.allocated += found.size
        return found

    def _best(self, size: int, *, small: bool) -> Block | None:
        blocks = self._free[small]
        place = bisect_left(blocks, (size, -1), key=lambda block: block.order)
        return blocks.pop(place) if place < len(blocks) else None

    def _grown(self, size: int, *, small: bool) -> Block:
        whole = segment_bytes(size)
        self.reserved += whole
        self._next += whole + MIB
        return Block(address=self._next, size=whole, segment=whole, small=small)

    def _cut(self, block: Block, size: int) -> None:
        rest = Block(
            address=block.address + size,
            size=block.size - size,
            segment=block.segment,
            small=block.small,
            free=True,
            before=block,
            after=block.after,
        )
        if block.after:
            block.after.before = rest
        block.after, block.size = rest, size
        insort(self._free[block.small], rest, key=lambda one: one.order)

    def give(self, block: Block) -> None:
        """Take a block back, joined with its free neighbours."""
        self.allocated -= block.size
        blocks = self._free[block.small]
        if block.after and block.after.free:
            blocks.remove(block.after)
            block.size += block.after.size
            block.after = block.after.after
            if block.after:
                block.after.before = block
        if block.before and block.before.free:
            front = block.before
            blocks.remove(front)
            front.size += block.size
            front.after = block.after
            if block.after:
                block.after.before = front
            block = front
        block.free = True
        insort(blocks, block, key=lambda one: one.order)

    def return_cached(self) -> None:
        """Give segments that are free as a whole back to the driver."""
        for small, blocks in self._free.items():
            kept = [block for block in blocks if block.size < block.segment]
            self.reserved -= sum(block.size for block in blocks if block.size == block.segment)
            self._free[small] = kept
