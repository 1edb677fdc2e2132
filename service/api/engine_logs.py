"""Start-up logs of engines: the lines that state memory, rank by rank.

Every line is cut to a bounded length and met with patterns of bounded repeats, so the time grows
with the number of lines alone. "GB" of vLLM and SGLang is GiB; llama.cpp prints MiB.

Source: vLLM `v1/worker/gpu_worker.py`, `v1/worker/gpu_model_runner.py`, `v1/core/kv_cache_utils.py`
and V0 `worker/worker.py`; SGLang `model_executor/model_runner.py`, `mem_cache/memory_pool.py`;
llama.cpp `src/llama-model.cpp`, `src/llama-kv-cache.cpp`, `src/llama-memory-recurrent.cpp`,
`src/llama-context.cpp`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, NamedTuple

from service.domain.errors import InvalidRequest
from service.domain.units import GIB

MAX_LOG_CHARACTERS = 1_000_000
MAX_LINE_CHARACTERS = 2_000
MIB = 1 << 20
NUMBER = r"(-?\d{1,9}(?:\.\d{1,6})?) ?"
GIBS = NUMBER + r"Gi?B"
MIBS = NUMBER + r"MiB"
DEVICE = r"((?:CUDA|ROCm|HIP|Vulkan|SYCL|MTL|Metal|MUSA|CANN)\d{0,3}) {1,4}"
RANK = re.compile(r"rank[= ]?\d{1,5}|(?:DP|PP|TP|EP)\d{1,5}(?:[ _](?:DP|PP|TP|EP)\d{1,5}){0,3}")
PREFIX_CHARACTERS = 200


class Line(NamedTuple):
    """A kind of line: words that it holds, what it says, in which unit, and how repeats combine."""

    engine: str
    words: str
    pattern: re.Pattern[str]
    quantities: tuple[str, ...]
    unit: int
    repeats: Literal["last", "sum", "most"] = "last"


def line(
    engine: str,
    words: str,
    pattern: str,
    quantities: str,
    unit: int = GIB,
    repeats: Literal["last", "sum", "most"] = "last",
) -> Line:
    """One kind of line; `quantities` is one name for every group of the pattern."""
    return Line(engine, words, re.compile(pattern), tuple(quantities.split()), unit, repeats)


LINES = (
    line("vllm", "Model loading took", "Model loading took " + GIBS, "weights_bytes"),
    line("vllm", "Loading model weights took", "weights took " + GIBS, "weights_bytes"),
    line("vllm", "weights memory:", "weights memory: " + GIBS, "weights_bytes"),
    line("vllm", "model weights take", "model weights take " + GIBS, "weights_bytes"),
    line("vllm", "torch peak memory increase", "increase: " + GIBS, "activations_bytes"),
    line("vllm", "activation peak memory", "peak memory takes " + GIBS, "activations_bytes"),
    line("vllm", "non-torch forward increase", "increase memory: " + GIBS, "non_torch_bytes"),
    line("vllm", "non_torch_memory takes", "non_torch_memory takes " + GIBS, "non_torch_bytes"),
    line(
        "vllm",
        "Actual usage is",
        f"Actual usage is {GIBS} for weight, {GIBS} for peak activation, {GIBS} for non-torch",
        "weights_bytes activations_bytes non_torch_bytes",
    ),
    line(
        "vllm",
        "Free memory on device",
        r"device (?:\S{1,20} )?\((\d{1,6}\.\d{1,6})/(\d{1,6}\.\d{1,6}) GiB",
        "free_bytes device_bytes",
    ),
    line("vllm", "CUDAGraph memory", f"{GIBS} for CUDAGraph", "cuda_graphs_bytes"),
    line("vllm", "Graph capturing finished", f"took {GIBS}", "cuda_graphs_bytes"),
    line("vllm", "CUDA graph pool memory", f"memory: {GIBS} .actual", "cuda_graphs_bytes"),
    line("vllm", "Available KV cache memory", f"memory: {GIBS}", "kv_cache_capacity_bytes"),
    line("vllm", "reserved for KV Cache is", f"Cache is {GIBS}", "kv_cache_capacity_bytes"),
    line(
        "vllm",
        "GPU KV cache size",
        r"cache size: ([\d,]{1,15}) tokens",
        "kv_cache_capacity_tokens",
        1,
    ),
    line("vllm", "Maximum concurrency", r"request: (\d{1,9}\.\d{1,4})x", "max_concurrency", 1),
    line("sglang", "Load weight begin", f"avail mem={GIBS}", "before_load_bytes"),
    line("sglang", "Load weight end", f"avail mem={GIBS}", "after_load_bytes"),
    line("sglang", "Load weight end", f"mem usage={GIBS}", "weights_bytes"),
    line(
        "sglang",
        "KV Cache is allocated",
        f"K size: {GIBS}, V size: {GIBS}",
        "keys_bytes values_bytes",
    ),
    line("sglang", "KV Cache is allocated", f"KV size: {GIBS}", "kv_cache_capacity_bytes"),
    line("sglang", "Capture cuda graph end", f"mem usage={GIBS}", "cuda_graphs_bytes"),
    line("sglang", "max_total_num_tokens", r"num_tokens=(\d{1,15})", "kv_cache_capacity_tokens", 1),
    line("llama.cpp", "model buffer size", f"model buffer size = {{0,9}}{MIBS}",
         "model_buffer_bytes", MIB, "sum"),
    line("llama.cpp", "KV buffer size", f"KV buffer size = {{0,9}}{MIBS}",
         "kv_buffer_bytes", MIB, "sum"),
    line("llama.cpp", "RS buffer size", f"RS buffer size = {{0,9}}{MIBS}",
         "recurrent_state_bytes", MIB, "sum"),
    line("llama.cpp", "compute buffer size", f"compute buffer size = {{0,9}}{MIBS}",
         "compute_buffer_bytes", MIB, "most"),
)  # fmt: skip
ON_DEVICE = re.compile(DEVICE + r"(?:model|KV|RS|compute) buffer")
OCCUPYING = (
    "weights_bytes", "activations_bytes", "non_torch_bytes", "cuda_graphs_bytes",
    "model_buffer_bytes", "kv_buffer_bytes", "recurrent_state_bytes", "compute_buffer_bytes",
)  # fmt: skip
HELD = (
    *OCCUPYING,
    "before_load_bytes",
    "after_load_bytes",
    "kv_cache_capacity_bytes",
    "keys_bytes",
)
ROUNDING = {"vllm": GIB // 200, "sglang": GIB // 100, "llama.cpp": MIB // 100}
"""Half of the last printed digit, twice that where two figures make one reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What the fullest rank of a log states."""

    engine: str
    rank: str
    ranks: int
    rounding_bytes: int
    values: Mapping[str, float]
    lines: tuple[str, ...]


@dataclass(slots=True)
class Found:
    """Values by rank, and the lines that gave them."""

    ranks: dict[str, dict[str, float]] = field(default_factory=dict)
    engines: dict[str, int] = field(default_factory=dict)
    lines: dict[str, list[str]] = field(default_factory=dict)


def reading(text: str) -> Reading:
    """What a start-up log states of memory, on its fullest rank.

    Raises: InvalidRequest where no line is recognised.
    """
    found = Found()
    for row in text.splitlines():
        read_line(row[:MAX_LINE_CHARACTERS], found)
    if not found.engines:
        looked = "; ".join(f"{e}: {words_of(e)}" for e in ROUNDING)
        raise InvalidRequest("log", f"no line states memory. Looked for lines with {looked}")
    engine = max(found.engines, key=lambda name: found.engines[name])
    shared = found.ranks.pop("", {})
    for own in found.ranks.values():
        if not set(own) & set(HELD):
            shared |= own  # an engine core's lines speak for all of its workers
    ranks = {
        rank: derived({**shared, **own})
        for rank, own in found.ranks.items()
        if set(own) & set(HELD)
    }
    ranks = ranks or {"": derived(shared)}
    fullest = max(ranks, key=lambda rank: sum(ranks[rank].get(name, 0) for name in OCCUPYING))
    kept = [row for rank, rows in found.lines.items() if rank not in ranks for row in rows]
    kept += found.lines.get(fullest, ())
    return Reading(
        engine=engine,
        rank=fullest,
        ranks=len(ranks),
        rounding_bytes=ROUNDING[engine],
        values=ranks[fullest],
        lines=tuple(dict.fromkeys(kept))[:100],
    )


def words_of(engine: str) -> str:
    """Words by which an engine's lines are known."""
    return ", ".join(dict.fromkeys(repr(kind.words) for kind in LINES if kind.engine == engine))


def read_line(row: str, found: Found) -> None:
    """Add what one line states."""
    for kind in LINES:
        if kind.words not in row:
            continue
        match = kind.pattern.search(row)
        rank = rank_of(row, kind)
        if match is None or rank is None:
            continue
        found.engines[kind.engine] = found.engines.get(kind.engine, 0) + 1
        found.lines.setdefault(rank, []).append(row.strip()[:300])
        values = found.ranks.setdefault(rank, {})
        for name, digits in zip(kind.quantities, match.groups(), strict=True):
            combine(values, name, scaled(digits, kind.unit), kind.repeats)


def rank_of(row: str, kind: Line) -> str | None:
    """The rank or device that a line is of, empty where it names none; None off the cards."""
    if kind.engine == "llama.cpp":
        device = ON_DEVICE.search(row)
        return device.group(1) if device else None
    match = RANK.search(row[:PREFIX_CHARACTERS])
    return match.group() if match else ""


def scaled(digits: str, unit: int) -> float:
    """A printed number in its unit: whole bytes, or a count as it stands."""
    value = Decimal(digits.replace(",", "") or "0") * unit
    return round(value) if unit > 1 or value == value.to_integral_value() else float(value)


def combine(values: dict[str, float], name: str, value: float, repeats: str) -> None:
    """A value beside earlier ones of its name."""
    before = values.get(name)
    if before is not None and repeats == "sum":
        value += before
    elif before is not None and repeats == "most":
        value = max(value, before)
    values[name] = value


def derived(values: Mapping[str, float]) -> dict[str, float]:
    """Readings that two lines make together, without the parts."""
    found = dict(values)
    for name, whole, part in (
        ("weights_bytes", "before_load_bytes", "after_load_bytes"),
        ("init_used_bytes", "device_bytes", "free_bytes"),
    ):
        if whole in found and part in found and name not in found:
            found[name] = found[whole] - found[part]
    if "keys_bytes" in found:
        found["kv_cache_capacity_bytes"] = found["keys_bytes"] + found["values_bytes"]
    parts = ("before_load_bytes", "after_load_bytes", "device_bytes", "free_bytes", "keys_bytes")
    return {
        name: value
        for name, value in found.items()
        if name not in {*parts, "values_bytes"} and value >= 0
    }
