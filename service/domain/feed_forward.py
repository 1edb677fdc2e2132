"""Feed-forward parts of a layer: dense, or a mixture of experts."""

from __future__ import annotations

from dataclasses import dataclass, replace

from service.domain.manners import Activation
from service.domain.tensors import Kind, Tensors, matrix, norm, vector


@dataclass(frozen=True, slots=True, kw_only=True)
class DenseFeedForward:
    """Two matrices, or three where a gate multiplies (SwiGLU, GeGLU).

    joined         gate and up come from one matrix in the published code
    inner_dropout  a dropout between the activation and the last matrix
    recast         the inner value is cast to the weights' type before the last matrix (T5)
    """

    hidden_size: int
    width: int
    gated: bool = True
    up_bias: bool = False
    down_bias: bool = False
    activation: Activation = "silu"
    joined: bool = False
    inner_dropout: bool = False
    recast: bool = False

    def tensors(self) -> Tensors:
        """Weights of the feed-forward."""
        return gated_matrices(self, "mlp", "mlp")

    @property
    def active_width(self) -> int:
        """Width that one token passes through."""
        return self.width

    @property
    def inactive_elements(self) -> int:
        """Weights that one token does not touch."""
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MixtureOfExperts:
    """Routed experts of which each token takes `active_experts`, and shared ones that all take.

    shared_width      width of the shared expert(s) together, 0 where there are none
    shared_gate       a learned gate (one row) on the shared expert's output
    router_bias       a bias that belongs to the router's parameters
    identity_experts  choices of the router that pass a token on without any weights
    dense_width       width of a dense feed-forward that stands beside the experts, 0 for none
    latent_size       features of the space in which the experts work, 0 for the hidden size
    latent_norm       a norm over that space (Kimi K3)
    """

    hidden_size: int
    experts: int
    active_experts: int
    width: int
    gated: bool = True
    up_bias: bool = False
    down_bias: bool = False
    router_bias: bool = False
    identity_experts: int = 0
    shared_width: int = 0
    shared_gated: bool = True
    shared_gate: bool = False
    dense_width: int = 0
    latent_size: int = 0
    latent_norm: bool = False
    activation: Activation = "silu"
    joined: bool = True

    def tensors(self) -> Tensors:
        """Weights of router, routed experts and shared experts."""
        choices = self.experts + self.identity_experts
        bias = (vector("router.bias", "router", choices),) if self.router_bias else ()
        gate = (
            (matrix("shared_expert_gate", "router", 1, self.hidden_size),)
            if self.shared_gate
            else ()
        )
        return (
            matrix("router", "router", choices, self.hidden_size),
            *bias,
            *self._routed(),
            *self._always_on("shared_expert", "shared_expert", self.shared_width),
            *self._always_on("mlp", "mlp", self.dense_width),
            *gate,
        )

    def _routed(self) -> Tensors:
        if not self.latent_size:
            return gated_matrices(self, "experts", "expert", count=self.experts)
        inner = replace(self, hidden_size=self.latent_size)
        hidden, latent = self.hidden_size, self.latent_size
        return (
            matrix("latent_down_proj", "mlp", latent, hidden),
            matrix("latent_up_proj", "mlp", hidden, latent),
            *(norm("latent_norm", latent) if self.latent_norm else ()),
            *gated_matrices(inner, "experts", "expert", count=self.experts),
        )

    def _always_on(self, name: str, kind: Kind, width: int) -> Tensors:
        if not width:
            return ()
        dense = DenseFeedForward(hidden_size=self.hidden_size, width=width, gated=self.shared_gated)
        return gated_matrices(dense, name, kind)

    @property
    def active_width(self) -> int:
        """Width that one token passes through: its experts, the shared ones and the dense part."""
        return self.active_experts * self.width + self.shared_width + self.dense_width

    @property
    def inactive_elements(self) -> int:
        """Weights of the routed experts that one token does not choose."""
        one = sum(t.rows * t.columns for t in self.tensors() if t.kind == "expert")
        return (self.experts - self.active_experts) * one


FeedForward = DenseFeedForward | MixtureOfExperts


def gated_matrices(part: FeedForward, name: str, kind: Kind, count: int = 1) -> Tensors:
    """Up (and gate) and down projection with their biases, `count` times."""
    ups = ("gate_proj", "up_proj") if part.gated else ("up_proj",)
    hidden, width = part.hidden_size, part.width
    up = tuple(matrix(f"{name}.{up}", kind, width, hidden, cut="rows", count=count) for up in ups)
    up_biases = tuple(
        vector(f"{name}.{up}.bias", kind, width, cut="rows", count=count)
        for up in (ups if part.up_bias else ())
    )
    down_bias = (
        (vector(f"{name}.down_proj.bias", kind, hidden, count=count),) if part.down_bias else ()
    )
    down = matrix(f"{name}.down_proj", kind, hidden, width, cut="columns", count=count)
    return (*up, *up_biases, down, *down_bias)
