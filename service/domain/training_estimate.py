"""Memory of a training run: terms of each phase, the peak, what tools would show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from service.domain.companion_resolving import with_companions
from service.domain.companions import beside, companion_host_bytes, own_phases
from service.domain.forms import FAMILY_DOUBT
from service.domain.judging import at_risk, verdict
from service.domain.questions import TrainingRun
from service.domain.ranks import stage_runs
from service.domain.requests import EstimateRequest, Risk, Stock, TrainingWish
from service.domain.resolving import Frame, Notes
from service.domain.results import (
    Amount,
    Budget,
    Caution,
    Estimate,
    PerCard,
    Provenance,
    Term,
    Value,
)
from service.domain.training_activations import checkpoint_host_bytes
from service.domain.training_limits import training_limits
from service.domain.training_logits import logit_widths
from service.domain.training_phases import phases, steady
from service.domain.training_readings import context, readings
from service.domain.training_resolving import resolved_training
from service.domain.training_sharding import host_bytes

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


def term_values(run: TrainingRun, name: str) -> dict[str, Value]:
    """This run's numbers in a term's formula."""
    common: dict[str, Value] = {"parameters": run.model.parameters, "ranks": run.shards}
    own: Mapping[str, dict[str, Value]] = {
        "weights": {"regime": run.regime, "quantization": run.quantization.id},
        "adapters": {"rank": run.lora.rank if run.lora else 0},
        "optimizer_states": {"optimizer": run.optimizer.id, "states": run.optimizer.state_copies},
        "activations": {
            "tokens": run.tokens,
            "layers": run.model.layer_count,
            "hidden_size": run.model.hidden_size,
            "checkpointing": run.activation_checkpointing,
        },
        "logits": {
            "tokens": run.tokens,
            "vocabulary": run.model.vocabulary_size,
            "bytes_per_logit": max(logit_widths(run)),
        },
        "sharding_buffers": {"sharding": run.sharding},
    }
    return {**common, **own.get(name, {})}


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


def runtime(run: TrainingRun, allocated_bytes: int) -> Term:
    """CUDA context and kernels, and what the caching allocator cannot use. [B]

    M_r = c + φ·A

    c  context, and communicators of several cards   φ  fragmentation   A  allocated bytes

    Holds when:  the allocator may return its cache before it fails, as torch's does.
    Source:      config/frameworks (context); torch `c10/cuda/CUDACachingAllocator.cpp`.
    Checked by:  nothing allocated: the context alone.
    """
    beside = context(run)
    low, expected, high = FRAGMENTATION
    return Term(
        name="runtime",
        amount=Amount(
            low=beside.low + round(low * allocated_bytes),
            expected=beside.expected + round(expected * allocated_bytes),
            high=beside.high + round(high * allocated_bytes),
        ),
        formula="context + fragmentation x allocated",
        values={"allocated_bytes": allocated_bytes, "fragmentation": expected},
        provenance="calibrated",
        source="config/frameworks; torch CUDACachingAllocator",
    )


def phase_cards(run: TrainingRun) -> tuple[PerCard, ...]:
    """One card for each phase of the fullest pipeline stage, in the order of a step."""
    stages = [
        tuple(replace(phase_card(stage, name, sizes), stage=index) for name, sizes in phases(stage))
        for index, stage in enumerate(stage_runs(run))
    ]
    if run.companions:
        return companion_cards(run, stages[0])
    return max(stages, key=lambda cards: peak(cards).amount.expected)


def companion_cards(run: TrainingRun, cards: tuple[PerCard, ...]) -> tuple[PerCard, ...]:
    """The phases of a run with its companions, and the phases in which they work themselves."""
    held = steady(run)
    apart = tuple(
        replace(card, terms=(*card.terms, *terms))
        for name, terms in own_phases(run)
        for card in (phase_card(run, name, held),)
    )
    return (*(beside(run, card) for card in cards), *apart)


def peak(cards: tuple[PerCard, ...]) -> PerCard:
    """The phase that needs most."""
    return max(cards, key=lambda card: card.amount.expected)


def need_bytes(run: TrainingRun, risk: Risk) -> int:
    """What the largest phase of the fullest stage needs at a risk. [B]"""
    return max(at_risk(card.amount, risk) for card in phase_cards(run))


def training_estimate(
    request: EstimateRequest, wish: TrainingWish, frame: Frame, stock: Stock, notes: Notes
) -> Estimate:
    """Memory of a training run on its fullest card."""
    run = with_companions(resolved_training(frame, wish, stock, notes), wish, stock, notes)
    cards = phase_cards(run)
    fullest = peak(cards)
    memory = frame.card.memory_bytes
    judged = None
    if memory is not None:
        worst = max(at_risk(card.amount, request.risk) for card in cards)
        judged = verdict(memory - worst, memory)
    return Estimate(
        model=request.model,
        precision=run.precision.id,
        quantization=run.quantization.id,
        workload_kind="training",
        per_card=fullest,
        total_bytes=fullest.amount.expected * run.split.cards,
        cards=run.split.cards,
        card=_card(request, memory),
        judgement=judged,
        limits=None
        if memory is None
        else training_limits(run, memory, lambda grown: need_bytes(grown, request.risk)),
        readings=readings(run, cards, fullest, memory),
        phases=cards,
        assumptions=tuple(notes.found),
        warnings=training_cautions(run),
        host_bytes=max(host_bytes(stage) for stage in stage_runs(run))
        + companion_host_bytes(run)
        + checkpoint_host_bytes(run),
    )


def _card(request: EstimateRequest, memory_bytes: int | None) -> Budget | None:
    if memory_bytes is None:
        return None
    gpu = request.gpu.id if request.gpu else None
    return Budget(gpu=gpu, memory_bytes=memory_bytes, budget_bytes=memory_bytes, policy="none")


def training_cautions(run: TrainingRun) -> tuple[Caution, ...]:
    """Warnings about a training run."""
    found = [
        Caution(
            code="driver-reading",
            message="nvidia-smi shows more than is needed, because the allocator keeps what it "
            "freed; the verdict is judged on allocated bytes, fragmentation and context",
        )
    ]
    if run.optimizer.paged_from:
        found.append(
            Caution(
                code="paged-states",
                message="paged states live in managed memory: no torch counter shows them",
            )
        )
    if run.model.shape_is_assumed:
        found.append(
            Caution(
                code="assumed-shape",
                message="only the size is known: activations follow a typical shape",
            )
        )
    found.extend(Caution(code="model-note", message=note) for note in run.model.notes)
    return tuple(found)
