"""Optimizers: the states they keep and the memory a step takes beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StepWorkspace = Literal["none", "all-parameters", "largest-parameter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer:
    """An optimizer's states a trainable parameter.

    state_copies      states of the parameter's own type (or fp32 with a master copy)
    state_bits        bits of each state where it is packed, 0 where it has the parameter's type
    block             values that share one fp32 scale of a packed state
    min_packed        smallest tensor whose states are packed; smaller ones stay fp32
    factored          rows + columns instead of rows × columns for matrices
    hidden_copies     states of two-dimensional hidden matrices where they differ (Muon), else -1
    paged             states live in managed memory that torch does not count
    step_copies       extra copies of the trainable parameters while a step runs
    step_scope        what those copies span
    """

    id: str
    name: str
    state_copies: int
    state_bits: int = 0
    block: int = 256
    min_packed: int = 4096
    factored: bool = False
    hidden_copies: int = -1
    projected_rank: int = 0
    paged: bool = False
    step_copies: int = 0
    step_scope: StepWorkspace = "none"
    aliases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    notes: str = ""
