"""Parts of diffusion models: layers with biases, convolutions, residual and attention blocks."""

from __future__ import annotations

from service.domain.tensors import Kind, Tensors, matrix, norm, vector

THREE_BY_THREE = 9
FEED_FORWARD_RATIO = 4


def affine(name: str, kind: Kind, rows: int, columns: int, *, bias: bool = True) -> Tensors:
    """A linear layer, or a convolution whose `columns` are inputs × taps."""
    weight = matrix(name, kind, rows, columns)
    return (weight, vector(f"{name}.bias", "bias", rows)) if bias else (weight,)


def convolution(name: str, rows: int, columns: int, taps: int = THREE_BY_THREE) -> Tensors:
    """A convolution with a bias."""
    return affine(name, "convolution", rows, columns * taps)


def perceptron(name: str, kind: Kind, inputs: int, inner: int, outputs: int) -> Tensors:
    """Two linear layers with biases."""
    return (*affine(f"{name}.0", kind, inner, inputs), *affine(f"{name}.1", kind, outputs, inner))


def embedder(name: str, inputs: int, width: int) -> Tensors:
    """Two layers that lift a time, a guidance or a pooled text to the model's width."""
    return perceptron(name, "projector", inputs, width, width)


def feed_forward(name: str, width: int, inner: int, *, gated: bool = False) -> Tensors:
    """A feed-forward with biases; gated, its first layer is twice as wide."""
    return (
        *affine(f"{name}.in", "mlp", 2 * inner if gated else inner, width),
        *affine(f"{name}.out", "mlp", width, inner),
    )


def attend(
    name: str, width: int, inputs: int, *, norms: int = 0, bias: bool = True, out: bool = True
) -> Tensors:
    """Queries of `width`, keys and values of `inputs`, an output; `norms` of queries and keys."""
    return (
        *affine(f"{name}.to_q", "attention", width, width, bias=bias),
        *affine(f"{name}.to_k", "attention", width, inputs, bias=bias),
        *affine(f"{name}.to_v", "attention", width, inputs, bias=bias),
        *(affine(f"{name}.to_out", "attention", width, width) if out else ()),
        *(norm(f"{name}.norm_q", norms) if norms else ()),
        *(norm(f"{name}.norm_k", norms) if norms else ()),
    )


def residual(name: str, inputs: int, outputs: int, time_width: int = 0) -> Tensors:
    """Two normed convolutions, the time's projection, and a shortcut where widths differ."""
    return (
        *norm(f"{name}.norm1", inputs, bias=True),
        *convolution(f"{name}.conv1", outputs, inputs),
        *(affine(f"{name}.time_emb_proj", "projector", outputs, time_width) if time_width else ()),
        *norm(f"{name}.norm2", outputs, bias=True),
        *convolution(f"{name}.conv2", outputs, outputs),
        *(convolution(f"{name}.conv_shortcut", outputs, inputs, 1) if inputs != outputs else ()),
    )
