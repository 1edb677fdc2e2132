"""Optimizers: the states they keep and the memory a step takes beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

StepWorkspace = Literal["none", "all-parameters", "largest-parameter"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Optimizer:
    """An optimizer's states a trainable parameter.

    state_copies      states of each value
    state_width       bytes of an unpacked state, 0 for the parameter's own type
    state_bits        bits of each state where it is packed, 0 where nothing is
    block             values that share one fp32 scale of a packed state
    min_packed        smallest tensor whose states are packed
    whole_blocks      only tensors of whole blocks are packed
    wide_tables_in    frameworks that keep the states of embedding tables in fp32
    factored          rows + columns instead of rows × columns for matrices
    hidden_copies     states of hidden matrices where they differ (Muon), else -1
    projected_rank    rank in which hidden matrices keep their states (GaLore), 0 for all of it
    paged_from        smallest tensor whose states live in managed memory that torch does not
                      count, 0 where none does
    step_copies       copies of the trainable parameters while a step runs, in their type
    step_bytes        further bytes a value, whatever the type
    half_step_bytes   further bytes a value of 16-bit parameters
    gram_bytes        bytes a value of square matrices of the smaller side
    step_scope        what those copies span; of matrices only the hidden ones where they differ
    rest_step_copies  copies of all other parameters where hidden matrices differ
    """

    id: str
    name: str
    state_copies: int
    state_width: int = 0
    state_bits: int = 0
    block: int = 256
    min_packed: int = 4096
    whole_blocks: bool = False
    wide_tables_in: tuple[str, ...] = ()
    factored: bool = False
    hidden_copies: int = -1
    projected_rank: int = 0
    paged_from: int = 0
    step_copies: int = 0
    step_bytes: int = 0
    half_step_bytes: int = 0
    gram_bytes: int = 0
    step_scope: StepWorkspace = "none"
    rest_step_copies: int = 0
    aliases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    notes: str = ""

    @property
    def hidden_apart(self) -> bool:
        """Whether hidden matrices are treated otherwise than the rest."""
        return self.hidden_copies >= 0 or self.projected_rank > 0
