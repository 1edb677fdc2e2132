"""How a family computes what it weighs: one row for each that differs from Llama.

Source: transformers 5.23 `models/*/modeling_*.py` and `configuration_*.py` (defaults).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from service.catalog.families.decoder import Facts, several
from service.catalog.families.reading import Config
from service.domain.architecture import Tower
from service.domain.feed_forward import FeedForward, MixtureOfExperts
from service.domain.manners import Activation, BlockForm, EndsForm, NormForm, Order, Rotation
from service.domain.mixers import Attention, Mixer

ACTIVATION_KEYS = (
    "hidden_activation",
    "hidden_act",
    "activation_function",
    "activation",
    "feed_forward_proj",
)
ACTIVATIONS: Mapping[str, Activation] = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_pytorch_tanh": "gelu",
    "gelu_new": "gelu-new",
    "gelu_fast": "gelu-fast",
    "gated-gelu": "gelu-new",
    "quick_gelu": "quick-gelu",
    "relu": "relu",
    "relu2": "relu-squared",
    "xielu": "gelu-new",
}
RESIDUAL_DROPOUT = (
    "resid_pdrop",
    "residual_dropout",
    "resid_dropout",
    "hidden_dropout",
    "hidden_dropout_prob",
    "dropout",
    "dropout_rate",
)
ATTENTION_DROPOUT = ("attn_pdrop", "attention_dropout", "attention_probs_dropout_prob")
EMBEDDING_DROPOUT = ("embd_pdrop", "emb_pdrop", "embedding_dropout", "embed_dropout")
ORDER_OF_COUNT: Mapping[int, Order] = {0: "before", 1: "parallel", 2: "before", 4: "around"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A family's way, where its config does not say otherwise.

    joined_attention, joined_gate  query, key, value or gate and up come from one matrix
    dropout, attention_dropout, embedding_dropout   whether the class has them by default
    soft_cap         the attention's scores pass a tanh by default
    logit_soft_cap   the logits pass a tanh by default
    eager_only       the class has no attention kernel but its own
    """

    activation: Activation = "silu"
    norm: NormForm = "rms"
    order: Order | None = None
    rotation: Rotation = "whole"
    joined_attention: bool = False
    joined_gate: bool = False
    dropout: bool = False
    attention_dropout: bool = False
    embedding_dropout: bool = False
    embedding_norm: NormForm = "none"
    scaled: bool = False
    soft_cap: bool = False
    logit_soft_cap: bool = False
    eager_only: bool = False
    softmax_raised: bool = True
    relative: bool = False
    inner_dropout: bool = False
    recast: bool = False
    head_transform: bool = False
    upcast: bool = True
    logit_bias: bool = False


GPT2 = Computed(
    activation="gelu-new",
    norm="layer",
    rotation="none",
    joined_attention=True,
    dropout=True,
    attention_dropout=True,
    embedding_dropout=True,
    softmax_raised=False,
)
BERT = Computed(
    activation="gelu",
    norm="layer",
    order="after",
    rotation="none",
    dropout=True,
    attention_dropout=True,
    embedding_dropout=True,
    embedding_norm="layer",
    softmax_raised=False,
    head_transform=True,
    upcast=False,
)
T5 = Computed(
    activation="relu",
    norm="rms-late",
    rotation="none",
    dropout=True,
    attention_dropout=True,
    embedding_dropout=True,
    softmax_raised=False,
    relative=True,
    inner_dropout=True,
    recast=True,
    upcast=False,
)
GEMMA = Computed(activation="gelu", norm="rms-offset", scaled=True)
NEOX = Computed(
    activation="gelu",
    norm="layer",
    order="parallel-two",
    rotation="joined",
    joined_attention=True,
)
GPTJ = Computed(activation="gelu-new", norm="layer", rotation="joined", eager_only=True)
COHERE = Computed(norm="layer-raised")
OLMO2 = Computed(norm="rms-offset", order="behind")
BART = replace(BERT, head_transform=False, attention_dropout=False, logit_bias=True)
MBART = replace(BART, order="before")

COMPUTED: Mapping[str, Computed] = {
    "apertus": Computed(activation="gelu-new"),
    "arcee": Computed(activation="relu-squared"),
    **dict.fromkeys(
        (
            "bert",
            "roberta",
            "xlm-roberta",
            "electra",
            "distilbert",
            "albert",
            "deberta-v2",
            "jina_embeddings_v3",
            "nomic_bert",
        ),
        BERT,
    ),
    "bart": BART,
    "marian": BART,
    **dict.fromkeys(("m2m_100", "mbart", "pegasus", "whisper"), MBART),
    "t5": T5,
    "mt5": T5,
    "bloom": replace(
        GPT2,
        dropout=False,
        attention_dropout=False,
        embedding_dropout=False,
        embedding_norm="layer",
        softmax_raised=True,
        eager_only=True,
    ),
    "codegen": replace(GPTJ, joined_attention=True),
    "cohere": COHERE,
    "cohere2": COHERE,
    "dbrx": Computed(norm="layer", joined_attention=True),
    "exaone4": Computed(order="behind"),
    "falcon": Computed(activation="gelu", norm="layer", joined_attention=True),
    "gemma": GEMMA,
    "gemma2": replace(GEMMA, soft_cap=True, logit_soft_cap=True),
    "gemma3_text": GEMMA,
    "glm": Computed(rotation="joined", joined_gate=True),
    "glm4": Computed(rotation="joined", joined_gate=True),
    "gpt2": GPT2,
    "gpt_bigcode": replace(GPT2, activation="gelu"),
    "gpt_neo": replace(
        GPT2,
        joined_attention=False,
        dropout=False,
        attention_dropout=False,
        embedding_dropout=False,
        eager_only=True,
    ),
    "gpt_neox": NEOX,
    "flex_olmo": Computed(norm="rms-offset"),
    "gpt_oss": Computed(norm="rms-offset", eager_only=True),
    "gptj": GPTJ,
    "mpt": Computed(
        activation="gelu",
        norm="layer",
        rotation="none",
        joined_attention=True,
        eager_only=True,
    ),
    "nemotron": Computed(activation="relu-squared", norm="layer-half", rotation="joined"),
    "olmo": Computed(norm="layer"),
    "olmo2": OLMO2,
    "olmo3": OLMO2,
    "opt": Computed(activation="relu", norm="layer", rotation="none", dropout=True),
    "persimmon": Computed(
        activation="relu-squared", norm="layer", rotation="joined", joined_attention=True
    ),
    "phi": Computed(activation="gelu-new", norm="layer", rotation="joined"),
    "phi3": Computed(rotation="joined", joined_attention=True, joined_gate=True),
    "phimoe": Computed(norm="layer"),
    "seed_oss": Computed(dropout=True, attention_dropout=True),
    "stablelm": Computed(norm="layer", rotation="joined"),
    "starcoder2": Computed(activation="gelu", norm="layer"),
    "xglm": Computed(
        activation="gelu", norm="layer", rotation="none", dropout=True, attention_dropout=True
    ),
}


def computed(config: Config, kind: str, facts: Facts) -> Facts:
    """The same decoder with what its family and its config say about how it computes."""
    row = COMPUTED.get(kind, Computed())
    order = row.order or ORDER_OF_COUNT.get(facts.norms.per_block, "before")
    if kind == "gpt_neox" and not config.flag("use_parallel_residual", default=True):
        order = "before"
    dropout = dropped(config, RESIDUAL_DROPOUT, default=row.dropout)
    form = BlockForm(norm=row.norm, weighted=facts.norms.weight, order=order, dropout=dropout)
    return replace(
        facts,
        towers=tuple(_encoder(config, row, form, tower) for tower in facts.towers),
        mixer=lambda index: tuple(_mixer(config, row, one) for one in several(facts.mixer(index))),
        feed_forward=lambda index: tuple(
            _feed_forward(config, row, one) for one in several(facts.feed_forward(index))
        ),
        form=form,
        ends=EndsForm(
            norm=row.norm if facts.norms.final else "none",
            embedding_norm=row.embedding_norm,
            scaled=row.scaled,
            dropout=dropped(
                config,
                EMBEDDING_DROPOUT,
                default=dropout if kind in {"opt", "xglm"} else row.embedding_dropout,
            ),
            head_transform=row.head_transform and facts.output == "scores",
            output_dropout=dropout and row.relative,
            soft_cap=set_or(config, "final_logit_softcapping", default=row.logit_soft_cap),
            upcast=row.upcast,
            logit_bias=row.logit_bias,
        ),
    )


def dropped(config: Config, keys: tuple[str, ...], *, default: bool) -> bool:
    """Whether a dropout is on: any of its keys above zero, else the class's default."""
    stated = [key for key in keys if config.has(key)]
    return any(config.number(key, 0.0) > 0 for key in stated) if stated else default


def set_or(config: Config, key: str, *, default: bool) -> bool:
    """Whether a constant is set: null switches it off."""
    return config.has(key) if key in config.data else default


def activation(config: Config, default: Activation) -> Activation:
    """The config's activation function; an unknown one keeps what the family's does."""
    for key in ACTIVATION_KEYS:
        named = config.data.get(key)
        if isinstance(named, str) and named in ACTIVATIONS:
            return ACTIVATIONS[named]
    return default


def _encoder(config: Config, row: Computed, form: BlockForm, tower: Tower) -> Tower:
    """An encoder of text computes as its decoder does; eyes and ears are families of their own."""
    if tower.modality != "text":
        return tower
    kinds = tuple(
        replace(
            kind,
            mixers=tuple(_mixer(config, row, mixer) for mixer in kind.mixers),
            feed_forwards=tuple(_feed_forward(config, row, part) for part in kind.feed_forwards),
            form=form,
        )
        for kind in tower.layer_kinds
    )
    return replace(tower, layer_kinds=kinds)


def _mixer(config: Config, row: Computed, mixer: Mixer) -> Mixer:
    if not isinstance(mixer, Attention):
        return mixer
    return replace(
        mixer,
        rotation=row.rotation,
        joined=row.joined_attention,
        soft_cap=set_or(config, "attn_logit_softcapping", default=row.soft_cap),
        eager_only=row.eager_only,
        softmax_raised=row.softmax_raised,
        relative=row.relative,
        dropout=dropped(config, ATTENTION_DROPOUT, default=row.attention_dropout),
        norm_form=row.norm if row.norm != "none" else "rms",
    )


def _feed_forward(config: Config, row: Computed, part: FeedForward) -> FeedForward:
    if isinstance(part, MixtureOfExperts):
        return replace(part, activation=activation(config, row.activation))
    return replace(
        part,
        activation=activation(config, row.activation),
        joined=row.joined_gate,
        inner_dropout=row.inner_dropout and dropped(config, RESIDUAL_DROPOUT, default=row.dropout),
        recast=row.recast,
    )
