"""States of fixed size that recurrences and convolutions keep of every sequence."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Stage
from service.domain.caches import StateRow
from service.domain.forms import TermForm, cached
from service.domain.questions import Serving
from service.domain.results import Value
from service.domain.sums import state_rows
from service.domain.units import bytes_of_bits

LEAST_STATE_BITS = 16
"""States follow the type that the engine computes in, which has 16 bits or more."""


def stage_state_rows(serving: Serving, stage: Stage) -> tuple[tuple[StateRow, int], ...]:
    """States that one rank of a stage keeps of every sequence, and in how many layers."""
    return state_rows(serving.model, serving.split.tensor, stage.start, stage.stop)


def state_values(serving: Serving, row: StateRow) -> int:
    """Values of one state as the engine lays it out."""
    return row.elements + (row.input_elements if serving.profile.state_inputs else 0)


def state_bits(serving: Serving, row: StateRow) -> int:
    """Width of one value: what the model fixes, else the engine's own, else the model's type."""
    model_bits = max(LEAST_STATE_BITS, serving.precision.bits)
    return row.bits or serving.profile.state_bits.get(row.kind, model_bits)


def sequence_state(serving: Serving, stage: Stage) -> int:
    """States of one sequence on one rank of a stage. [B]

    M_1 = Σ_g L_g · n_g(t) · e_g

    L_g  layers of kind g on the stage   n_g  values of one state on one of t tensor ranks
    e_g  bytes of a value: the type that the model fixes, else the engine's rule

    Holds when:  no state is kept for prefix caching or for drafted tokens.
    Source:      vLLM 0.33 `model_executor/layers/mamba/mamba_utils.py`: shapes and types by kind.
    Checked by:  Qwen3.5-397B on two ranks: 45 · 32 · 128 · 128 · 4 B of fp32 states, 90 MiB, and
                 45 · 6,144 · 3 · 2 B of convolutions, as SGLang prints them.
    """
    return sum(
        layers * bytes_of_bits(state_values(serving, row) * state_bits(serving, row))
        for row, layers in stage_state_rows(serving, stage)
    )


def recurrent_state(serving: Serving, stage: Stage) -> int:
    """States of every running sequence: convolutions and recurrences. [B]

    M_s = S · M_1

    S  sequences that one replica holds at once   M_1  states of one sequence

    Holds when:  each running sequence has one slot.
    Source:      see the states of one sequence.
    Checked by:  Falcon-H1-1.5B in fp32, one sequence: 72 MiB of states, as llama.cpp prints them.
    """
    return serving.sequences * sequence_state(serving, stage)


def recurrent_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the states."""
    rows = stage_state_rows(serving, stage)
    return {
        "sequences": serving.sequences,
        "layers": max((layers for _, layers in rows), default=0),
        "values_per_sequence": sum(state_values(serving, row) * n for row, n in rows),
        "bytes_per_sequence": sequence_state(serving, stage),
    }


RECURRENT_STATE = TermForm(
    name="recurrent_state",
    expected=recurrent_state,
    values=recurrent_values,
    formula="sequences x sum over layers of state values x bytes",
    provenance="exact",
    source="vLLM model_executor/layers/mamba/mamba_utils.py; shapes from the config",
    side=cached,
    each_sequence=True,
    present=lambda serving: bool(state_rows(serving.model, 1)),
)
