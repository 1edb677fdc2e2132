"""How a family computes what it weighs, from its row of the table and its config.

Source: transformers 5.23 `models/*/modeling_*.py` and `configuration_*.py` (defaults).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from service.catalog.families.computed_table import COMPUTED, Computed
from service.catalog.families.decoder import Facts, several
from service.catalog.families.reading import Config
from service.domain.architecture import Tower
from service.domain.feed_forward import FeedForward, MixtureOfExperts
from service.domain.manners import Activation, BlockForm, EndsForm, Order
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
