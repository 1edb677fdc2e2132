"""gpt-oss as vLLM loads it, and the torch steps that prepare its experts for Triton's kernels.

Source: vLLM 0.14 to 0.28 `model_executor/layers/fused_moe/oracle/mxfp4.py` and, in its
`third_party/triton_kernels`, `tensor_details/layout_details/hopper_value.py`: swizzle_data,
_pack_bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.loading.allocator import Block, Pool

HIDDEN, WIDTH, HEADS, KV_HEADS, HEAD_DIM, VOCABULARY = 2880, 2880, 64, 8, 64, 201_088
POSITIONS = 131_072
SCALED, SCALE_ROWS = 32, 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """What a version does: rounds beforehand, steps of rows and bytes, frees the scales."""

    rounds: bool
    row_step: int
    byte_step: int
    scale_step: int
    frees_scales: bool


VERSIONS = {
    "0.12": Steps(rounds=False, row_step=16, byte_step=32, scale_step=2, frees_scales=False),
    "0.17": Steps(rounds=True, row_step=64, byte_step=64, scale_step=2, frees_scales=False),
    "0.25": Steps(rounds=False, row_step=16, byte_step=32, scale_step=4, frees_scales=True),
}


def up(value: int, step: int) -> int:
    """The next multiple of a step."""
    return -(-value // step) * step


def after(pool: Pool, old: Block, size: int) -> Block:
    """A new tensor computed from an old one, which is then dropped."""
    new = pool.take(size)
    pool.give(old)
    return new


def compressed(pool: Pool, size: int, parts: int) -> Block:
    """Bits of one value in four, masked and shifted part by part, joined with `or`."""
    word = pool.take(size)
    found = after(pool, pool.take(size), size)
    for _ in range(parts - 1):
        part = after(pool, pool.take(size), size)
        joined = pool.take(size)
        pool.give(found)
        pool.give(part)
        found = joined
    pool.give(word)
    return found


def pair(pool: Pool, size: int, parts: int) -> Block:
    """The low and the high half of a byte, the high one shifted and joined."""
    low = compressed(pool, size, parts)
    halves = pool.take(size // 4)
    high = compressed(pool, size, parts)
    pool.give(halves)
    high = after(pool, high, size)
    joined = pool.take(size)
    pool.give(low)
    pool.give(high)
    return joined


def packed_bits(pool: Pool, size: int) -> Block:
    """Four values interleaved into one word."""
    first, second, third, fourth = (pair(pool, size, parts) for parts in (2, 2, 2, 3))
    found = first
    for shifted in (pool.take(size), pool.take(size)):
        moved = after(pool, shifted, size)
        joined = pool.take(size)
        if found is not first:
            pool.give(found)
        pool.give(moved)
        found = joined
    last = pool.take(size)
    for block in (found, first, second, third, fourth):
        pool.give(block)
    return last


def swizzled_values(pool: Pool, size: int, steps: Steps) -> Block:
    """Values padded (a copy even where nothing is added), permuted, and packed."""
    data = pool.take(size)
    for _ in range(2 if steps.rounds else 1):
        data = after(pool, data, size)
    found = packed_bits(pool, size)
    pool.give(data)
    return found


def swizzled_scales(pool: Pool, loaded: int, padded: int) -> Block:
    """Scales made contiguous, padded and permuted."""
    return after(pool, after(pool, pool.take(loaded), padded), padded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Experts:
    """Sizes of one matrix of all experts of a layer on a rank: rows × columns values."""

    count: int
    rows: int
    columns: int

    @property
    def values(self) -> int:
        """Bytes as they are loaded."""
        return self.count * self.rows * self.columns // 2

    @property
    def scales(self) -> int:
        """Bytes of the scales as they are loaded."""
        return self.count * self.rows * self.columns // SCALED

    def laid(self, steps: Steps) -> tuple[int, int]:
        """Bytes of values and scales in the kernel's order."""
        values = up(self.rows, steps.row_step) * up(self.columns // 2, steps.byte_step)
        scales = up(self.rows, SCALE_ROWS) * up(self.columns // SCALED, steps.scale_step)
        return self.count * values, self.count * scales


def split_experts(experts: int, ranks: int) -> tuple[Experts, Experts]:
    """Gate and up together, and down, of one layer on a rank."""
    width = up(WIDTH // ranks, 64)
    return (
        Experts(count=experts, rows=2 * width, columns=HIDDEN),
        Experts(count=experts, rows=HIDDEN, columns=width),
    )


def layer(pool: Pool, parts: tuple[Experts, Experts], ranks: int) -> list[Block]:
    """A layer as it is loaded; the experts' values, scales and biases are handed back."""
    around = (
        HIDDEN * (HEADS + 2 * max(KV_HEADS, ranks)) * HEAD_DIM * 2 // ranks,
        HEADS * HEAD_DIM * HIDDEN * 2 // ranks,
        HIDDEN * 2,
        HIDDEN * 2,
        parts[0].count * HIDDEN * 2,
    )
    for size in around:
        pool.take(size)
    matrices = [pool.take(size) for part in parts for size in (part.values, part.scales)]
    return matrices + [pool.take(part.count * part.rows * 2) for part in parts]


def prepare(pool: Pool, parts: tuple[Experts, Experts], loaded: list[Block], steps: Steps) -> None:
    """Biases in 32 bits, experts in the kernel's order; what was loaded is dropped."""
    values, scales, down, down_scales, *biases = loaded
    for part in parts:
        pool.take(part.count * part.rows * 4)
    for part in parts:
        laid, laid_scales = part.laid(steps)
        swizzled_values(pool, laid, steps)
        swizzled_scales(pool, part.scales, laid_scales)
    dropped = (scales, down_scales) if steps.frees_scales else ()
    for block in (values, down, *biases, *dropped):
        pool.give(block)


def load(experts: int, layers: int, ranks: int, steps: Steps) -> tuple[int, int, int]:
    """Allocated and reserved bytes of one rank after loading, and its experts as loaded."""
    pool, parts = Pool(), split_experts(experts, ranks)
    for size in (VOCABULARY * HIDDEN * 2 // ranks, POSITIONS * HEAD_DIM * 2):
        pool.take(size)
    stored = [layer(pool, parts, ranks) for _ in range(layers)]
    pool.take(VOCABULARY * HIDDEN * 2 // ranks)
    for loaded in stored:
        prepare(pool, parts, loaded, steps)
    pool.return_cached()
    return pool.allocated, pool.reserved, layers * sum(part.values + part.scales for part in parts)
