"""A block: its parts in their order, with norms, dropouts and residual sums."""

from __future__ import annotations

from functools import lru_cache

from service.domain.architecture import LayerKind
from service.domain.feed_forward import DenseFeedForward, FeedForward, MixtureOfExperts
from service.domain.mixers import Indexer
from service.domain.tape.attending import Attending, mixed
from service.domain.tape.feeding import fed
from service.domain.tape.layers import Layers, tokens
from service.domain.tape.recording import Tape, Value
from service.domain.tape.regimes import Regime
from service.domain.tape.walking import Walk, walk


@lru_cache(maxsize=2048)
def block_walk(kind: LayerKind, hidden_size: int, regime: Regime) -> Walk:
    """What a block keeps, and how its backward passes, for any batch and length."""
    layers = Layers(Tape(), regime)
    entry = Value(tokens(hidden_size), residual_width(kind, regime))
    exit_ = block(layers, kind, entry)
    return walk(layers.tape, entry, exit_, accumulating=regime.accumulating)


def residual_width(kind: LayerKind, regime: Regime) -> int:
    """Bytes of a value between blocks: the tables' type, and fp32 behind a norm under autocast."""
    if kind.form.order == "after" and regime.autocast:
        return 4
    return regime.other


def output(layers: Layers, part: Attending | FeedForward, x: Value) -> Value:
    """The output of one part of a block."""
    if isinstance(part, DenseFeedForward | MixtureOfExperts):
        return fed(layers, part, x)
    return mixed(layers, part, x)


def computing(kind: LayerKind) -> tuple[Attending | FeedForward, ...]:
    """Parts whose output joins the residual, in their order."""
    mixers = (mixer for mixer in kind.mixers if not isinstance(mixer, Indexer))
    return (*mixers, *kind.feed_forwards)


def block(layers: Layers, kind: LayerKind, x: Value) -> Value:
    """The output of a block."""
    form = kind.form
    if form.order in {"parallel", "parallel-two"}:
        return _parallel(layers, kind, x)
    before = form.order in {"before", "around"}
    behind = form.order in {"behind", "around"}
    for part in computing(kind):
        entry = layers.norm(x, form.norm, form.weighted) if before else x
        y = output(layers, part, entry)
        if behind:
            y = layers.norm(y, form.norm, form.weighted)
        y = layers.tape.dropout(y, active=form.dropout)
        x = layers.tape.add(x, y)
        if form.order == "after":
            x = layers.norm(x, form.norm, form.weighted)
    return x


def _parallel(layers: Layers, kind: LayerKind, x: Value) -> Value:
    """Parts side by side, all behind one norm or each behind its own; then one sum."""
    form = kind.form
    entry = layers.norm(x, form.norm, form.weighted)
    total = x
    for index, part in enumerate(computing(kind)):
        if index and form.order == "parallel-two":
            entry = layers.norm(x, form.norm, form.weighted)
        y = layers.tape.dropout(output(layers, part, entry), active=form.dropout)
        total = layers.tape.add(total, y)
    return total
