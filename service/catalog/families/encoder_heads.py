"""Heads of encoders by the published class: pooler, classifier, masked-word head, or none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.catalog.families.parts import Shape
from service.catalog.families.reading import MAX_LABELS, Config
from service.domain.architecture import Output
from service.domain.tensors import Tensors, matrix, norm, vector

Build = Callable[[Config, Shape], Tensors]
SPAN_LABELS = 2
"""Begin and end of an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What stands behind the blocks, and what it yields."""

    tensors: Tensors
    output: Output


@dataclass(frozen=True, slots=True, kw_only=True)
class Heads:
    """A family's heads by the end of the class name.

    model_pools  whether the bare class has a pooler unless it is built without
    """

    masked: Build
    classifier: Build
    pretraining: Build | None = None
    pretraining_output: Output = "scores"
    model_pools: bool = True


def linear(name: str, rows: int, columns: int, *, bias: bool = True) -> Tensors:
    """A projection of a head, which no quantization packs and every rank holds."""
    weight = matrix(name, "projector", rows, columns)
    return (weight, vector(f"{name}.bias", "bias", rows)) if bias else (weight,)


def labels(config: Config) -> int:
    """Classes of a classifier; two where the config names none."""
    named = config.section("id2label").data
    return config.integer("num_labels", default=len(named) or 2, high=MAX_LABELS)


def pooler(config: Config, size: Shape) -> Tensors:
    """A square projection of the first token."""
    del config
    return linear("pooler.dense", size.hidden, size.hidden)


def transform(size: Shape, width: int, *, norm_bias: bool = True, bias: bool = True) -> Tensors:
    """A projection to the width of the table, and a norm."""
    dense = linear("transform.dense", width, size.hidden, bias=bias)
    return (*dense, *norm("transform.LayerNorm", width, bias=norm_bias))


def word_bias(size: Shape) -> Tensors:
    """One bias a word; the matrix is the input table."""
    return (vector("decoder.bias", "bias", size.vocabulary, cut="rows"),)


def masked_words(config: Config, size: Shape) -> Tensors:
    """A transform to the table's width, and a bias a word."""
    width = config.integer("embedding_size", default=size.hidden)
    return (*transform(size, width), *word_bias(size))


def bert_pretraining(config: Config, size: Shape) -> Tensors:
    """BERT's two tasks: masked words, and whether the next sentence follows.

    The published BERTs hold both, whether their config names ForPreTraining or ForMaskedLM.
    """
    return (
        *pooler(config, size),
        *masked_words(config, size),
        *linear("seq_relationship", 2, size.hidden),
    )


def pooled_classifier(config: Config, size: Shape) -> Tensors:
    """A pooler, and a classifier over its output."""
    return (*pooler(config, size), *linear("classifier", labels(config), size.hidden))


def electra_discriminator(config: Config, size: Shape) -> Tensors:
    """One score a token: whether it was replaced."""
    del config
    return (
        *linear("discriminator.dense", size.hidden, size.hidden),
        *linear("discriminator.dense_prediction", 1, size.hidden),
    )


def modernbert_head(config: Config, size: Shape) -> Tensors:
    """A projection and a norm."""
    bias, norm_bias = config.flag("classifier_bias"), config.flag("norm_bias")
    return transform(size, size.hidden, bias=bias, norm_bias=norm_bias)


def modernbert_masked(config: Config, size: Shape) -> Tensors:
    """Its head, and a bias a word."""
    words = word_bias(size) if config.flag("decoder_bias", default=True) else ()
    return (*modernbert_head(config, size), *words)


def modernbert_classifier(config: Config, size: Shape) -> Tensors:
    """Its head, and a classifier."""
    head = modernbert_head(config, size)
    return (*head, *linear("classifier", labels(config), size.hidden))


BERT = Heads(masked=bert_pretraining, pretraining=bert_pretraining, classifier=pooled_classifier)
ROBERTA = Heads(masked=masked_words, classifier=pooled_classifier)
ALBERT = Heads(masked=masked_words, classifier=pooled_classifier)
DISTILBERT = Heads(masked=masked_words, classifier=pooled_classifier, model_pools=False)
DEBERTA = Heads(masked=masked_words, classifier=pooled_classifier, model_pools=False)
ELECTRA = Heads(
    masked=masked_words,
    pretraining=electra_discriminator,
    pretraining_output="vectors",
    classifier=pooled_classifier,
    model_pools=False,
)
MODERNBERT = Heads(masked=modernbert_masked, classifier=modernbert_classifier, model_pools=False)


def _bare(config: Config, size: Shape, heads: Heads) -> Head:
    pools = config.flag("add_pooling_layer", default=heads.model_pools)
    return Head(tensors=pooler(config, size) if pools else (), output="vectors")


def _masked(config: Config, size: Shape, heads: Heads) -> Head:
    return Head(tensors=heads.masked(config, size), output="scores")


def _pretraining(config: Config, size: Shape, heads: Heads) -> Head:
    if heads.pretraining is None:
        return _masked(config, size, heads)
    return Head(tensors=heads.pretraining(config, size), output=heads.pretraining_output)


def _sequence(config: Config, size: Shape, heads: Heads) -> Head:
    return Head(tensors=heads.classifier(config, size), output="vectors")


def _token(config: Config, size: Shape, heads: Heads) -> Head:
    del heads
    return Head(tensors=linear("classifier", labels(config), size.hidden), output="vectors")


def _span(config: Config, size: Shape, heads: Heads) -> Head:
    del config, heads
    return Head(tensors=linear("qa_outputs", SPAN_LABELS, size.hidden), output="vectors")


CLASSES: Mapping[str, Callable[[Config, Shape, Heads], Head]] = {
    "ForMaskedLM": _masked,
    "ForPreTraining": _pretraining,
    "ForSequenceClassification": _sequence,
    "ForTokenClassification": _token,
    "ForQuestionAnswering": _span,
    "Model": _bare,
}


def head_of(config: Config, size: Shape, heads: Heads) -> Head:
    """The head of the class that the config names first; none named means the bare model."""
    listed = config.items("architectures") or ("Model",)
    named = listed[0]
    for end, build in CLASSES.items():
        if isinstance(named, str) and named.endswith(end):
            return build(config, size, heads)
    raise config.wrong("architectures", f"must name a class that ends in {', '.join(CLASSES)}")
