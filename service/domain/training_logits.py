"""Logits and their copies in the loss, by framework, implementation and regime."""

from __future__ import annotations

from service.domain.architecture import Output
from service.domain.framework import LogitCopies
from service.domain.questions import TrainingRun
from service.domain.training_activations import FP32_BYTES, regime_of

WHOLE_LOGITS = frozenset({"eager", "fused-logits"})
FP32_COPIES_BYTES = 8
"""Two fp32 copies of each logit: fewer are 16-bit losses."""
WORDS: frozenset[Output] = frozenset({"tokens", "scores"})
"""Outputs that are scores of words, over which a loss is taken."""


def logit_widths(run: TrainingRun) -> tuple[float, ...]:
    """Bytes a logit at the end of the forward pass and at the peak of the loss's backward."""
    profile = run.framework_profile
    copies: LogitCopies = profile.logit_bytes[run.loss]
    if run.compiled:
        copies = profile.compiled.get(run.loss, copies)
    regime = regime_of(run)
    if regime.compute == FP32_BYTES:
        return copies.single
    if run.model.ends.upcast:
        return copies.half
    if run.model.ends.logit_bias and regime.autocast:
        return copies.single
    return copies.autocast_as_is if regime.autocast else copies.half_as_is


def logit_peak_bytes(run: TrainingRun) -> tuple[int, int]:
    """Logits and their copies, forward and backward. [B]

    M_l = T·V·β

    T  tokens of a micro-batch   V  vocabulary   β  bytes a logit, by framework and implementation

    Holds when:  the model scores words, and the loss takes the whole batch at once; chunked ones
                 have a smaller β.
    Source:      config/frameworks; transformers `loss/loss_utils.py`.
    Checked by:  8,192 tokens, V 128,256, β 12: 12,607,881,216 bytes.
    """
    if run.model.output not in WORDS:
        return 0, 0
    logits = run.tokens * run.model.vocabulary_size
    forward, backward = logit_widths(run)
    return round(logits * forward), round(logits * backward)


def raises_logits(run: TrainingRun) -> bool:
    """Whether a loss holds all logits and copies of them in fp32."""
    whole = run.model.output in WORDS and run.loss in WHOLE_LOGITS
    return whole and max(logit_widths(run)) >= FP32_COPIES_BYTES
