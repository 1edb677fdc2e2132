"""Models that stand on the same cards beside the trained one: what each adds, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache

from service.domain.architecture import Architecture, stages
from service.domain.feed_forward import FeedForward
from service.domain.questions import Companion, Lora, TrainingRun
from service.domain.results import Amount, PerCard, Term
from service.domain.serving_terms import serving_terms
from service.domain.sharding_buffers import gathered_frozen_bytes
from service.domain.training_phases import phases, steady
from service.domain.training_sharding import weights_on_card
from service.domain.training_states import regime_widths, weight_bytes

LOGIT_FORWARD_BYTES = 6
"""Logits in 16 bits and their fp32 log-softmax. Source: TRL `trainer/utils.py`,
selective_log_softmax; transformers `loss/loss_utils.py`."""

TEACHER_LOGIT_BYTES = 6
"""A teacher's logits in 16 bits and its fp32 probabilities stay until the student's backward.
Source: TRL `experimental/gkd/gkd_trainer.py`, generalized_jsd_loss."""

MAKES_LOGITS = frozenset({"reference", "teacher"})
SLEEPING_TERMS = frozenset({"weights", "kv_cache", "activations", "cuda_graphs"})


def frozen_run(run: TrainingRun, companion: Companion) -> TrainingRun:
    """A frozen companion as a run of its own: its weights lie as the trained model's do."""
    return replace(
        run,
        model=companion.model,
        precision=companion.precision,
        quantization=companion.quantization,
        regime="pure-16bit",
        lora=Lora(rank=1, targets=(), precision=companion.precision),
        offload=companion.offload,
        companions=(),
    )


@lru_cache(maxsize=1024)
def without_head(model: Architecture) -> Architecture:
    """A model whose head gives one value a token instead of logits."""
    head = tuple(tensor for tensor in model.head if tensor.kind != "lm_head")
    return replace(model, head=head, vocabulary_size=0, tied=False)


def critic_run(run: TrainingRun, companion: Companion) -> TrainingRun:
    """A critic's training: the same settings, one value a token.

    Source: Ouyang et al. 2022 (arXiv 2203.02155, appendix C.4); TRL `trainer/ppo_trainer.py`.
    """
    return replace(
        run,
        model=without_head(companion.model),
        precision=companion.precision,
        quantization=companion.quantization,
        companions=(),
    )


def resident(run: TrainingRun, companion: Companion) -> Mapping[str, int]:
    """What a companion keeps on a card through the whole step, by term. [B]

    frozen   its weights, whole or sharded as the trained model's are
    critic   weights, optimizer states and master copies
    rollout  the engine's weights, cache and graphs, unless it sleeps while the others train
    """
    if companion.serving is not None:
        return {} if companion.sleeps else rollout_bytes(companion)
    if companion.role == "critic":
        return {name: size for name, size in steady(critic_run(run, companion)).items() if size}
    return {"weights": weights_on_card(frozen_run(run, companion))}


def rollout_bytes(companion: Companion) -> Mapping[str, int]:
    """Terms of the engine that generates, as it would serve alone. [B]"""
    serving = companion.serving
    if serving is None:
        return {}
    terms = serving_terms(serving, stages(serving.model, 1)[0])
    return {term.name: term.amount.expected for term in terms if term.name in SLEEPING_TERMS}


def in_loss(run: TrainingRun, companion: Companion) -> Mapping[str, int]:
    """What a companion adds while the loss is computed: a teacher's logits. [B]"""
    if companion.role != "teacher":
        return {}
    return {"logits": run.tokens * companion.model.vocabulary_size * TEACHER_LOGIT_BYTES}


def forward_bytes(run: TrainingRun, companion: Companion) -> Mapping[str, int]:
    """A frozen companion's own forward pass, without gradients. [B]

    A = (2e·h·2 + 3e·f)·T;  logits: 6·V·T

    h  hidden size   f  width of a block's feed-forward   e  bytes a value   T  tokens

    Holds when:  attention is fused and nothing is kept for a backward pass.
    Source:      allocator replay of inference without a cache: (6f + 8h)·T at 2 bytes a value.
    Checked by:  Llama 3.1 8B, one token: 6 · 14,336 + 8 · 4,096 = 118,784.
    """
    own = frozen_run(run, companion)
    parts: list[FeedForward] = [p for k in own.model.layer_kinds for p in k.feed_forwards]
    width = max((part.active_width for part in parts), default=0)
    compute = regime_widths(own).compute
    logits = LOGIT_FORWARD_BYTES if companion.role in MAKES_LOGITS else 0
    return {
        "activations": compute * (4 * own.model.hidden_size + 3 * width) * run.tokens,
        "logits": logits * own.model.vocabulary_size * run.tokens,
        "sharding_buffers": gathered_frozen_bytes(own),
    }


def companion_term(companion: Companion, name: str, size: int) -> Term:
    """One term of a companion, named after its role."""
    return Term(
        name=f"{companion.role}_{name}",
        amount=Amount.exactly(size),
        formula="the companion's own term on the same card",
        values={"model": companion.model.name, "quantization": companion.quantization.id},
        provenance="derived",
        source="service/domain/companions.py",
    )


def named(companion: Companion, sizes: Mapping[str, int]) -> tuple[Term, ...]:
    """A companion's terms that are not empty."""
    return tuple(companion_term(companion, name, size) for name, size in sizes.items() if size)


def standing(run: TrainingRun, besides: Companion | None = None) -> tuple[Term, ...]:
    """Terms of all companions that stand through the whole step, but for one."""
    return tuple(
        term
        for companion in run.companions
        if companion is not besides
        for term in named(companion, resident(run, companion))
    )


def beside(run: TrainingRun, card: PerCard) -> PerCard:
    """A phase of the trained model with what its companions keep meanwhile."""
    extra = standing(run)
    if card.phase == "loss":
        extra += tuple(t for c in run.companions for t in named(c, in_loss(run, c)))
    return replace(card, terms=(*card.terms, *extra))


def own_phases(run: TrainingRun) -> Iterator[tuple[str, tuple[Term, ...]]]:
    """Phases in which a companion works while the trained model stands still."""
    for companion in run.companions:
        others = standing(run, besides=companion)
        if companion.role == "critic":
            for phase, sizes in phases(critic_run(run, companion)):
                yield f"critic-{phase}", (*others, *named(companion, sizes))
            continue
        held = rollout_bytes(companion) if companion.sleeps else resident(run, companion)
        busy = {} if companion.serving else forward_bytes(run, companion)
        name = "rollout" if companion.serving else f"{companion.role}-forward"
        yield name, (*others, *named(companion, held), *named(companion, busy))


def companion_host_bytes(run: TrainingRun) -> int:
    """What offloaded companions keep in host memory for one card. [B]"""
    return sum(
        weight_bytes(frozen_run(run, companion), sharded=True)
        for companion in run.companions
        if companion.offload == "all"
    )
