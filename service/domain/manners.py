"""How a model computes what it weighs: norms, activations, order of parts, dropout.

Weights do not tell these apart, but memory of training does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NormForm = Literal["rms", "rms-offset", "rms-late", "layer", "layer-raised", "layer-half", "none"]
Order = Literal["before", "after", "around", "behind", "parallel", "parallel-two"]
Activation = Literal["silu", "gelu", "relu", "relu-squared", "gelu-new", "gelu-fast", "quick-gelu"]
Rotation = Literal["none", "whole", "joined"]


Fusible = Literal["norms", "gates", "rotations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelling:
    """How a framework writes blocks where it does so otherwise than transformers 5 does.

    joined             query, key and value come from one product
    repeated           keys and values are repeated to all heads before the kernel
    copied             the kernel's output is put into another order by a copy
    whole_activations  activations are single kernels, also those that transformers writes out
    frozen_inputs      products with frozen weights keep their input though nothing needs it
    experts_in_turn    routed experts compute one after the other, not in grouped products
    """

    joined: bool = False
    repeated: bool = False
    copied: bool = False
    whole_activations: bool = False
    frozen_inputs: bool = False
    experts_in_turn: bool = False


PLAIN = Spelling()
"""As transformers 5 writes them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockForm:
    """What a block does around its parts.

    norm     kind of its normalisations: rms-offset applies the weight before it casts
             back, as Gemma and OLMo 2; rms-late multiplies the input itself by the root, as T5;
             layer is one kernel, layer-raised is written out in fp32, as Cohere;
             layer-half stays in 16 bit under autocast, as Nemotron
    weighted whether the normalisations have weights
    order    norms before each part; after each residual sum (BERT); around each part (Gemma 2);
             behind each part (OLMo 2); parallel parts behind one norm, or behind one each
    dropout  whether a part's output passes a dropout before it joins the residual
    """

    norm: NormForm = "rms"
    weighted: bool = True
    order: Order = "before"
    dropout: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EndsForm:
    """What a model does before its first block and after its last one.

    norm            kind of the last normalisation
    embedding_norm  a normalisation behind the input tables
    scaled          the embedding is multiplied by a constant
    positions       a learned position table is added
    dropout         a dropout behind the embedding
    head_transform  a dense layer, an activation and a norm before the output matrix (BERT)
    soft_cap        logits pass a tanh
    upcast          logits become fp32 before the loss
    logit_bias      a bias in the weights' type is added to the logits (BART)
    output_dropout  a dropout behind the last norm
    """

    norm: NormForm = "rms"
    embedding_norm: NormForm = "none"
    scaled: bool = False
    positions: bool = False
    dropout: bool = False
    head_transform: bool = False
    soft_cap: bool = False
    upcast: bool = True
    logit_bias: bool = False
    output_dropout: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RotaryTable:
    """Cosines and sines of every position that engines work out beforehand."""

    positions: int
    features: int

    @property
    def elements(self) -> int:
        """Values of the table: a cosine and a sine for each pair of features."""
        return self.positions * self.features
