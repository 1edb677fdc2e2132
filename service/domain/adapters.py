"""Low-rank adapters: which matrices they stand beside, and what they weigh."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from service.domain.architecture import Architecture, counts
from service.domain.errors import InvalidRequest
from service.domain.questions import Lora
from service.domain.tensors import Tensor, Tensors, matrix, vector

ALL_LINEAR = "all-linear"
EVERYWHERE = frozenset({"attention", "mlp", "shared_expert", "state_space", "convolution"})
"""Kinds that "all-linear" adapts: linear layers of the blocks; fused experts are plain parameters,
and the head is left out. Source: peft 0.21 `tuners/tuners_utils.py`, _maybe_include_all_linear."""

ADAPTED_KINDS = EVERYWHERE | {"expert", "router", "lm_head", "embedding"}

TARGETS: Mapping[str, tuple[str, ...]] = {
    "attention": ("q_proj", "k_proj", "v_proj", "o_proj"),
    "mlp": ("gate_proj", "up_proj", "down_proj"),
    "q": ("q_proj",), "k": ("k_proj",), "v": ("v_proj",), "o": ("o_proj",),
    "wq": ("q_proj",), "wk": ("k_proj",), "wv": ("v_proj",), "wo": ("o_proj",),
    "query": ("q_proj",), "key": ("k_proj",), "value": ("v_proj",),
    "q_lin": ("q_proj",), "k_lin": ("k_proj",), "v_lin": ("v_proj",), "out_lin": ("o_proj",),
    "out_proj": ("o_proj", "out_proj"), "dense": ("o_proj",), "output_proj": ("o_proj",),
    "w1": ("gate_proj",), "w3": ("up_proj",), "w2": ("down_proj",),
    "fc1": ("up_proj",), "fc2": ("down_proj",), "fc_in": ("up_proj",), "fc_out": ("down_proj",),
    "c_fc": ("up_proj",), "c_proj": ("o_proj", "down_proj"),
    "dense_h_to_4h": ("up_proj",), "dense_4h_to_h": ("down_proj",),
    "linear_1": ("up_proj",), "linear_2": ("down_proj",),
}  # fmt: skip
"""Published names of linear layers by the names of the bill.
Source: peft 0.21 `utils/constants.py`, TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING."""

FUSED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("qkv_proj", "query_key_value", "c_attn", "W_pack", "Wqkv", "wqkv", "linear_qkv", "qkv"),
        ("q_proj", "k_proj", "v_proj"),
    ),
    **dict.fromkeys(("gate_up_proj", "linear_fc1", "w13"), ("gate_proj", "up_proj")),
}
"""Matrices that stand side by side in one: they share one adapter. Where a block has one of the
parts only, that one is meant."""


def leaf(tensor: Tensor) -> str:
    """Last part of a tensor's name: the module's own."""
    return tensor.name.rsplit(".", 1)[-1]


def adaptable(tensor: Tensor) -> bool:
    """Whether a low-rank pair may stand beside a tensor."""
    return tensor.linear and tensor.kind in ADAPTED_KINDS


def target_names(targets: tuple[str, ...]) -> frozenset[str]:
    """Names of the bill that published target names mean."""
    named = (TARGETS.get(name) or FUSED.get(name) or (name,) for name in targets)
    return frozenset(part for names in named for part in names)


def is_adapted(tensor: Tensor, targets: tuple[str, ...]) -> bool:
    """Whether a low-rank pair is trained beside a tensor."""
    if not adaptable(tensor):
        return False
    if ALL_LINEAR in targets:
        return tensor.kind in EVERYWHERE
    return leaf(tensor) in target_names(targets) and (
        tensor.kind in EVERYWHERE or tensor.kind in {"expert", "router"} or leaf(tensor) in targets
    )


def adapter_pair(name: str, rows: int, columns: int, source: Tensor, lora: Lora) -> Tensors:
    """Two low-rank matrices beside one of rows × columns, with DoRA a magnitude a row.

    P = k·(r + c), and r with DoRA

    k  rank   r, c  output and input features

    Source:      Hu et al. 2021 (arXiv 2106.09685, section 4.1); peft 0.21 `tuners/lora/layer.py`,
                 `tuners/lora/dora.py`.
    Checked by:  Llama 3.1 8B, rank 16 on q and v: 32 · 16 · (8,192 + 5,120) = 6,815,744.
    """
    kind = "attention" if source.kind in {"lm_head", "embedding"} else source.kind
    pair = (
        matrix(f"{name}.lora_A", kind, lora.rank, columns, count=source.count),
        matrix(f"{name}.lora_B", kind, rows, lora.rank, count=source.count),
    )
    if not lora.dora:
        return pair
    magnitude = vector(f"{name}.lora_magnitude_vector", kind, rows, count=source.count)
    return (*pair, magnitude)


@lru_cache(maxsize=2048)
def adapter_tensors(model: Architecture, lora: Lora) -> Tensors:
    """The trained tensors of LoRA beside a model.

    Raises: InvalidRequest where no target is a linear layer of the model.
    """
    adapted = [tensor for tensor in counts(model).bill if is_adapted(tensor, lora.targets)]
    if not adapted:
        names = sorted({leaf(t) for t in counts(model).bill if adaptable(t)})
        raise InvalidRequest(
            "workload.lora.targets",
            f"none of {', '.join(lora.targets)} is a linear layer of this model; it has "
            f"{', '.join(names) or 'none'}",
        )
    fused = tuple(FUSED[name] for name in lora.targets if name in FUSED)
    return tuple(
        part
        for index, tensor in enumerate(adapted)
        for part in _beside(tensor, adapted[index + 1 :], adapted[:index], fused, lora)
    )


def _beside(
    tensor: Tensor,
    later: list[Tensor],
    earlier: list[Tensor],
    fused: tuple[tuple[str, ...], ...],
    lora: Lora,
) -> Tensors:
    group = next((names for names in fused if leaf(tensor) in names), ())
    if not group:
        return adapter_pair(tensor.name, tensor.rows, tensor.columns, tensor, lora)
    if leaf(tensor) != group[0] and any(leaf(one) == group[0] for one in earlier):
        return ()
    rows = tensor.rows
    for name in group[1:]:
        rows += next((one.rows for one in later if leaf(one) == name), 0)
    return adapter_pair(tensor.name, rows, tensor.columns, tensor, lora)
