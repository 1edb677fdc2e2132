"""A vision transformer with the variations that families have, as one tower."""

from __future__ import annotations

from dataclasses import dataclass, replace

from service.domain.architecture import LayerKind, Tower
from service.domain.feed_forward import DenseFeedForward
from service.domain.mixers import Attention
from service.domain.tensors import Tensor, Tensors, matrix, norm, vector


@dataclass(frozen=True, slots=True, kw_only=True)
class VisionTransformer:
    """Patches to blocks to features.

    patch_values     pixels of one patch over its channels and frames
    class_token      one learned token before the patches
    position_rows    rows of a learned position table, 0 for rotary positions
    position_width   columns of it where they are not the hidden size
    head_norm        features of a norm over queries and keys, 0 for none
    leading_norm     a norm before the blocks; last_norm one behind them
    block_extras     further tensors of every block
    window_patches   patches that a block looks over, but those in `global_blocks`
    extras           further tensors before the blocks
    """

    hidden_size: int
    layers: int
    heads: int
    width: int
    patch_values: int
    head_dim: int = 0
    patch_bias: bool = False
    class_token: bool = False
    position_rows: int = 0
    gated: bool = False
    input_bias: bool = True
    output_bias: bool = True
    mlp_bias: bool = True
    norm_bias: bool = True
    norms_per_block: int = 2
    head_norm: int = 0
    leading_norm: bool = False
    last_norm: bool = True
    block_extras: Tensors = ()
    window_patches: int = 0
    global_blocks: frozenset[int] = frozenset()
    extras: Tensors = ()
    tail: Tensors = ()

    def mixer(self) -> Attention:
        """Attention of one block: every patch sees all others, nothing is kept."""
        return Attention(
            hidden_size=self.hidden_size,
            heads=self.heads,
            kv_heads=self.heads,
            head_dim=self.head_dim or self.hidden_size // self.heads,
            query_bias=self.input_bias,
            key_bias=self.input_bias,
            value_bias=self.input_bias,
            output_bias=self.output_bias,
            query_norm=self.head_norm,
            key_norm=self.head_norm,
            keeps="nothing",
        )

    def block(self, window_patches: int = 0) -> LayerKind:
        """One block over all patches, or over a window of them."""
        return LayerKind(
            mixers=(replace(self.mixer(), window_tokens=window_patches),),
            feed_forwards=(
                DenseFeedForward(
                    hidden_size=self.hidden_size,
                    width=self.width,
                    gated=self.gated,
                    up_bias=self.mlp_bias,
                    down_bias=self.mlp_bias,
                ),
            ),
            others=(*self._norms(), *self.block_extras),
        )

    def _norms(self) -> Tensors:
        return tuple(
            tensor
            for index in range(self.norms_per_block)
            for tensor in norm(f"norm_{index}", self.hidden_size, bias=self.norm_bias)
        )

    def before(self) -> Tensors:
        """Patch embedding, class token, positions, and the norm before the blocks."""
        hidden = self.hidden_size
        tensors = (
            (True, convolution("patch_embed", hidden, self.patch_values)),
            (self.patch_bias, vector("patch_embed.bias", "bias", hidden)),
            (self.class_token, vector("class_token", "position", hidden)),
            (bool(self.position_rows), table("positions", self.position_rows, hidden)),
        )
        first = norm("leading_norm", hidden, bias=self.norm_bias) if self.leading_norm else ()
        return (*(tensor for present, tensor in tensors if present), *first, *self.extras)

    def after(self) -> Tensors:
        """The norm behind the blocks, and a pooling head."""
        last = norm("last_norm", self.hidden_size, bias=self.norm_bias) if self.last_norm else ()
        return (*last, *self.tail)

    def tower(self, projector: Tensors = (), item_tokens: int = 0) -> Tower:
        """The tower, with what carries its features to the decoder."""
        kinds, order = self.blocks()
        return Tower(
            name="vision",
            modality="vision",
            hidden_size=self.hidden_size,
            layer_kinds=kinds,
            layer_order=order,
            before=self.before(),
            after=(*self.after(), *projector),
            item_tokens=item_tokens,
        )

    def blocks(self) -> tuple[tuple[LayerKind, ...], tuple[int, ...]]:
        """Kinds of blocks and their order."""
        if not self.window_patches:
            return (self.block(),), (0,) * self.layers
        order = tuple(0 if i in self.global_blocks else 1 for i in range(self.layers))
        return (self.block(), self.block(self.window_patches)), order


def convolution(name: str, outputs: int, inputs: int) -> Tensor:
    """A convolution's weight: output channels × everything one of them sees."""
    return Tensor(name=name, kind="convolution", rows=outputs, columns=inputs)


def table(name: str, rows: int, columns: int) -> Tensor:
    """A learned table of positions."""
    return Tensor(name=name, kind="position", rows=rows, columns=columns)


def pooling_head(hidden_size: int, width: int) -> Tensors:
    """Attention of one learned probe over all patches, then a feed-forward (SigLIP)."""
    return (
        vector("head.probe", "position", hidden_size),
        matrix("head.in_proj", "attention", 3 * hidden_size, hidden_size),
        vector("head.in_proj.bias", "bias", 3 * hidden_size),
        matrix("head.out_proj", "attention", hidden_size, hidden_size),
        vector("head.out_proj.bias", "bias", hidden_size),
        *norm("head.norm", hidden_size, bias=True),
        matrix("head.fc1", "mlp", width, hidden_size),
        vector("head.fc1.bias", "bias", width),
        matrix("head.fc2", "mlp", hidden_size, width),
        vector("head.fc2.bias", "bias", hidden_size),
    )
