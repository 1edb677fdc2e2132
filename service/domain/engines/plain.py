"""Terms that several engines state in the same way: communicators and what is there before."""

from __future__ import annotations

from service.domain.forms import Quantity, TermForm, before


def communication_form(expected: Quantity) -> TermForm:
    """Communicators of a tensor-parallel group, where an engine counts them on their own."""
    return TermForm(
        name="communication",
        follows_held=False,
        expected=expected,
        values=lambda serving, _: {"tensor_parallel": serving.split.tensor},
        formula="table by tensor-parallel ranks",
        provenance="calibrated",
        source="communicator_gib",
        present=lambda serving: serving.split.tensor > 1,
    )


def runtime_form(expected: Quantity, formula: str) -> TermForm:
    """What is on the card before the weights, where an engine measures what is free after it."""
    return TermForm(
        name="runtime",
        follows_held=False,
        expected=expected,
        values=lambda serving, _: {"ranks": serving.split.ranks},
        formula=formula,
        provenance="calibrated",
        source="context_gib",
        side=before,
    )
