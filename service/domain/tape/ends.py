"""What stands before the first block and behind the last one."""

from __future__ import annotations

from functools import lru_cache

from service.domain.architecture import Architecture
from service.domain.tape.layers import Layers, tokens
from service.domain.tape.recording import Tape, Value
from service.domain.tape.regimes import Regime
from service.domain.tape.sizes import Size
from service.domain.tape.walking import Walk, walk


@lru_cache(maxsize=512)
def front_walk(model: Architecture, regime: Regime) -> Walk:
    """From the looked-up rows to the first block; the tables' own gradient is not in it."""
    layers, form = Layers(Tape(), regime), model.ends
    rows = Value(tokens(model.hidden_size), regime.other, differentiable=regime.trained)
    x = rows
    if form.scaled:
        x = layers.tape.pointwise(x)
    if form.embedding_norm != "none":
        x = layers.norm(x, form.embedding_norm)
    x = layers.tape.dropout(x, active=form.dropout)
    return walk(layers.tape, rows, x, accumulating=regime.accumulating)


@lru_cache(maxsize=512)
def back_walk(model: Architecture, regime: Regime) -> Walk:
    """From the last block to the logits, given the logits' gradient."""
    layers, form = Layers(Tape(), regime), model.ends
    entry = Value(tokens(model.hidden_size), regime.other)
    x = layers.norm(entry, form.norm)
    x = layers.tape.dropout(x, active=form.output_dropout)
    if model.output not in {"tokens", "scores"}:
        first = layers.tape.part(x, Size(fixed=model.hidden_size))
        return walk(layers.tape, entry, first, accumulating=regime.accumulating)
    if form.head_transform:
        x = layers.activation(layers.linear(x, model.hidden_size), "gelu")
        x = layers.norm(x, "layer")
    if regime.headless:
        return walk(layers.tape, entry, x, accumulating=regime.accumulating)
    table = layers.weight(model.vocabulary_size * model.hidden_size, regime.other)
    logits = layers.product(x, table, model.vocabulary_size)
    if form.soft_cap:
        capped = layers.tape.pointwise(layers.tape.pointwise(logits), keeps_result=True)
        logits = layers.tape.pointwise(capped)
    return walk(layers.tape, entry, logits, accumulating=regime.accumulating)
