"""The terms of training: how each is explained, and how far a reading may lie from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.domain.forms import FAMILY_DOUBT
from service.domain.questions import TrainingRun
from service.domain.results import Amount, PerCard, Provenance, Term, Value
from service.domain.training_logits import logit_widths
from service.domain.training_readings import context

FRAGMENTATION = (0.0, 0.02, 0.04)
"""Share of allocated bytes that the caching allocator cannot use: low, expected, high.

Measured: full training of Llama 3 8B on one A100 ran with 74.8 of 80 GiB allocated, 5 % above which
nothing would have been left; fms-acceleration benchmark tables, transformers 4.45."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TermForm:
    """How a term of training is explained, and how far a reading may lie from it.

    counted  tensors of a block are counted, so that it is as doubtful as the framework's blocks
    """

    formula: str
    provenance: Provenance
    source: str
    counted: bool = False
    below: float = 0.0
    above: float = 0.0


REPLAY = "allocator replay of transformers 5.23.0 with torch 2.13.0"
FORMS: Mapping[str, TermForm] = {
    "weights": TermForm(
        formula="parameters x bytes / ranks", provenance="exact", source="bill of tensors"
    ),
    "adapters": TermForm(
        formula="rank x sum of (rows + columns) x bytes",
        provenance="exact",
        source="arXiv 2106.09685, section 4.1",
    ),
    "gradients": TermForm(
        formula="trainable values x bytes / ranks",
        provenance="derived",
        source="arXiv 1910.02054, section 3.1",
    ),
    "optimizer_states": TermForm(
        formula="sum over trainable tensors of values x states x bytes / ranks",
        provenance="exact",
        source="torch.optim; config/optimizers.yaml",
    ),
    "master_weights": TermForm(
        formula="trainable values x 4 / ranks",
        provenance="exact",
        source="arXiv 1910.02054, section 3.1",
    ),
    "activations": TermForm(
        formula="sum over blocks of what autograd keeps, and the block being walked back",
        provenance="derived",
        source=REPLAY,
        counted=True,
    ),
    "logits": TermForm(
        formula="tokens x vocabulary x bytes per logit",
        provenance="derived",
        source="config/frameworks; transformers loss/loss_utils.py",
        counted=True,
    ),
    "sharding_buffers": TermForm(
        formula="gathered blocks and root, reductions, buckets",
        provenance="derived",
        source="allocator replay of FSDP2; DeepSpeed runtime/zero/config.py",
        below=0.2,
        above=0.2,
    ),
    "optimizer_workspace": TermForm(
        formula="copies x trainable values x bytes / ranks",
        provenance="derived",
        source="torch.optim documentation, foreach",
    ),
    "dequantization": TermForm(
        formula="largest packed matrix x 2",
        provenance="derived",
        source="bitsandbytes autograd/_functions.py",
        below=0.5,
        above=1.0,
    ),
}


def scaled(run: TrainingRun, size: int, form: TermForm) -> Amount:
    """An amount with the range of its form, of the framework's blocks, or of a guessed family."""
    below, above = form.below, form.above
    if form.counted:
        doubt = run.framework.activation_doubt
        below, above = -doubt.low_share, doubt.high_share
    if run.model.family_is_assumed:
        below = max(below, -FAMILY_DOUBT.low_share)
        above = max(above, FAMILY_DOUBT.high_share)
    return Amount(low=size - round(size * below), expected=size, high=size + round(size * above))


def _activations(run: TrainingRun) -> dict[str, Value]:
    return {
        "tokens": run.tokens,
        "layers": run.model.layer_count,
        "hidden_size": run.model.hidden_size,
        "checkpointing": run.activation_checkpointing,
    }


def _logits(run: TrainingRun) -> dict[str, Value]:
    return {
        "tokens": run.tokens,
        "vocabulary": run.model.vocabulary_size,
        "bytes_per_logit": max(logit_widths(run)),
    }


VALUES: Mapping[str, Callable[[TrainingRun], dict[str, Value]]] = {
    "weights": lambda run: {"regime": run.regime, "quantization": run.quantization.id},
    "adapters": lambda run: {"rank": run.lora.rank if run.lora else 0},
    "optimizer_states": lambda run: {
        "optimizer": run.optimizer.id,
        "states": run.optimizer.state_copies,
    },
    "activations": _activations,
    "logits": _logits,
    "sharding_buffers": lambda run: {"sharding": run.sharding},
}
"""A run's numbers in each term's formula, beside its parameters and ranks."""


def term_values(run: TrainingRun, name: str) -> dict[str, Value]:
    """This run's numbers in a term's formula."""
    own = VALUES.get(name)
    common: dict[str, Value] = {"parameters": run.model.parameters, "ranks": run.shards}
    return {**common, **own(run)} if own else common


def phase_card(run: TrainingRun, name: str, sizes: Mapping[str, int]) -> PerCard:
    """The terms that are alive in one phase, and the runtime."""
    terms = tuple(
        Term(
            name=term,
            amount=scaled(run, size, FORMS[term]),
            formula=FORMS[term].formula,
            values=term_values(run, term),
            provenance=FORMS[term].provenance,
            source=FORMS[term].source,
        )
        for term, size in sizes.items()
        if size or term == "weights"
    )
    return PerCard(terms=(*terms, runtime(run, sum(sizes.values()))), phase=name)


def phase_amount(run: TrainingRun, sizes: Mapping[str, int]) -> Amount:
    """What one phase needs, without its words."""
    parts = [scaled(run, size, FORMS[name]) for name, size in sizes.items() if size]
    return sum(parts, runtime_amount(run, sum(sizes.values())))


def runtime_amount(run: TrainingRun, allocated_bytes: int) -> Amount:
    """Context, communicators and what the caching allocator cannot use. [B]"""
    beside = context(run)
    low, expected, high = FRAGMENTATION
    return Amount(
        low=beside.low + round(low * allocated_bytes),
        expected=beside.expected + round(expected * allocated_bytes),
        high=beside.high + round(high * allocated_bytes),
    )


def runtime(run: TrainingRun, allocated_bytes: int) -> Term:
    """CUDA context and kernels, and what the caching allocator cannot use. [B]

    M_r = c + φ·A

    c  context, and communicators of several cards   φ  fragmentation   A  allocated bytes

    Holds when:  the allocator may return its cache before it fails, as torch's does.
    Source:      config/frameworks (context); torch `c10/cuda/CUDACachingAllocator.cpp`.
    Checked by:  nothing allocated: the context alone.
    """
    return Term(
        name="runtime",
        amount=runtime_amount(run, allocated_bytes),
        formula="context + fragmentation x allocated",
        values={"allocated_bytes": allocated_bytes, "fragmentation": FRAGMENTATION[1]},
        provenance="calibrated",
        source="config/frameworks; torch CUDACachingAllocator",
    )
