"""Training frameworks: copies of the logits that their loss makes, by implementation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.domain.engine import Doubt
from service.domain.manners import PLAIN, Fusible, Spelling
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
    flat_adapters  FSDP1 flattens adapters together with the frozen weights of their block
    tables_apart  full training shards the tables as units of their own, gathered only when needed
    gradient_buffers  gradients lie in buffers from the start on, and are reduced in them
    selective  what selective checkpointing keeps: every second product, or all but the scores
    commits  commits between releases that this range describes
    compiled  copies of the logits where the loss is compiled with the model
    kernels  what else runs as a single kernel where a loss does, by the loss
    in_place  whether these kernels write over what they are given
    spelling  how it writes blocks, where otherwise than transformers 5
    """

    since: str
    logit_bytes: Mapping[str, LogitCopies]
    sources: Mapping[str, str]
    fsdp_version: Literal[1, 2] = 2
    accumulates_unsharded: bool = False
    flat_adapters: bool = False
    tables_apart: bool = False
    gradient_buffers: bool = False
    selective: Literal["products", "attention"] = "products"
    commits: tuple[str, ...] = ()
    compiled: Mapping[str, LogitCopies] = field(default_factory=dict)
    kernels: Mapping[str, tuple[Fusible, ...]] = field(default_factory=dict)
    in_place: bool = False
    spelling: Spelling = PLAIN


MAX_MAJOR_DIGITS = 4


def is_release(version: str) -> bool:
    """Whether a version is a release, not a commit.

    >>> is_release("4.45.2"), is_release("83c879f18"), is_release("8641822")
    (True, False, False)
    """
    major = version.removeprefix("v").split(".")[0]
    return major.isdigit() and len(major) <= MAX_MAJOR_DIGITS


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """What the caching allocator keeps beyond the peak of allocated bytes.

    loose         share of the allocated bytes that rounding and remainders leave unused
    other_phases  of what other phases hold and the peak does not, the share that finds no room
    logit_bytes   bytes a logit of blocks that no other copy can use, where logits become fp32
    usable        share of a card that readings of the driver reach
    """

    loose: float
    other_phases: float
    logit_bytes: float
    usable: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Framework:
    """A training framework with its version profiles, newest last.

    context_gib      CUDA context and kernels on the card, in no torch counter
    communicators_gib  what NCCL takes beside it where there are several cards
    cache            what the caching allocator keeps beyond allocated bytes
    activation_doubt how far readings lie from activations and logits as counted
    vendors          makers of the cards that it trains on
    doubts           how far readings of published runs lie from ours, by reading
    """

    id: str
    name: str
    profiles: tuple[FrameworkProfile, ...]
    context_gib: Spread
    communicators_gib: Spread
    cache: Cache
    activation_doubt: Doubt
    sources: tuple[str, ...]
    vendors: tuple[str, ...] = ("nvidia", "amd")
    doubts: Mapping[str, Doubt] = field(default_factory=dict)

    def profile(self, version: str | None) -> FrameworkProfile:
        """The profile of a version or a known commit; the newest where neither is named."""
        if version is None or not is_release(version):
            known_commits = (p for p in self.profiles if version and version in p.commits)
            return next(known_commits, self.profiles[-1])
        wanted = version_key(version)
        known = [entry for entry in self.profiles if version_key(entry.since) <= wanted]
        return known[-1] if known else self.profiles[0]
