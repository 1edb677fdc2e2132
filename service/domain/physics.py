"""What bounds the speed of serving, what is wanted of it, and what is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Bottleneck = Literal["bandwidth", "compute", "interconnect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Efficiency:
    """Shares of the data-sheet rates that are granted."""

    bandwidth: float
    compute: float
    interconnect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Physics:
    """What bounds speed, as data: shares of rates, and the rate that each kernel computes at."""

    efficiency: Efficiency
    default_output_tokens: int
    compute: Mapping[str, str]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """Speed that a plan has to allow; requests of `prompt_tokens` in and `output_tokens` out."""

    prompt_tokens: int
    output_tokens: int
    efficiency: Efficiency
    tokens_per_second_per_user: float | None = None
    requests_per_second: float | None = None
    first_token_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Upper bounds of one arrangement; `limited_by` says what bounds decoding."""

    tokens_per_second_per_user: float
    tokens_per_second: float
    first_token_ms: float
    requests_per_second: float
    limited_by: Bottleneck
