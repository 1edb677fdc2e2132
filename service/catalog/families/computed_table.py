"""The table of families that compute otherwise than Llama: one row for each.

Source: transformers 5.23 `models/*/modeling_*.py` and `configuration_*.py` (defaults).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from service.domain.manners import Activation, NormForm, Order, Rotation


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
