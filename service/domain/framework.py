"""Training frameworks: copies of the logits that their loss makes, by implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.domain.engine import Doubt
from service.domain.profiles import Spread, version_key


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitCopies:
    """Bytes a logit that live at the end of the forward pass and at the peak of the backward.

    half            logits computed in 16 bit and raised to fp32 for the loss
    single          logits computed in fp32
    autocast_as_is, half_as_is   logits computed in 16 bit and not raised by the model: with
                    autocast the loss raises them, without it stays in 16 bit
    """

    half: tuple[float, ...]
    single: tuple[float, ...]
    autocast_as_is: tuple[float, ...]
    half_as_is: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkProfile:
    """Constants of one version range.

    logit_bytes  copies of the logits by implementation of the loss
    fsdp_version  which of torch's two implementations `fsdp` means
    accumulates_unsharded  gradients are summed before they are reduced over the ranks
    """

    since: str
    logit_bytes: Mapping[str, LogitCopies]
    sources: Mapping[str, str]
    fsdp_version: Literal[1, 2] = 2
    accumulates_unsharded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Framework:
    """A training framework with its version profiles, newest last.

    context_gib      CUDA context and kernels on the card, in no torch counter
    reserved_ratio   reserved over allocated bytes of the caching allocator
    vendors          makers of the cards that it trains on
    doubts           how far readings of published runs lie from ours, by reading
    """

    id: str
    name: str
    profiles: tuple[FrameworkProfile, ...]
    context_gib: Spread
    reserved_ratio: Spread
    sources: tuple[str, ...]
    vendors: tuple[str, ...] = ("nvidia", "amd")
    doubts: Mapping[str, Doubt] = field(default_factory=dict)

    def profile(self, version: str | None) -> FrameworkProfile:
        """The profile of a version; the newest known where none is named."""
        if version is None:
            return self.profiles[-1]
        wanted = version_key(version)
        known = [entry for entry in self.profiles if version_key(entry.since) <= wanted]
        return known[-1] if known else self.profiles[0]
