"""What an optimizer keeps of each tensor, and what one of its steps takes beside that."""

from __future__ import annotations

from service.domain.optimizer import Optimizer
from service.domain.tensors import Tensor, Tensors, elements
from service.domain.units import ceil_div

FP32_BYTES = 4
SCALE_BYTES = 4
TABLE_KINDS = frozenset({"embedding", "position"})
OUTER_KINDS = TABLE_KINDS | {"lm_head"}


def is_hidden_matrix(tensor: Tensor) -> bool:
    """Whether a tensor is a matrix inside the network: no table and no head."""
    return tensor.columns > 1 and tensor.kind not in OUTER_KINDS


def plain_state_bytes(optimizer: Optimizer, width: int) -> int:
    """Bytes of an unpacked state of one value: the optimizer's own, else the parameter's. [B]"""
    return optimizer.state_width or width


def tensor_state_bytes(tensor: Tensor, optimizer: Optimizer, width: int, framework: str) -> int:
    """States of one tensor that torch counts. [B]

    M_o = P·z·w;  packed: z·(P·b/8 + 4·ceil(P/B));  factored: 4·(r + c)
    projected: z·k·max(r, c)·w + k·min(r, c)·w;  paged: the scales of what is packed

    P  values   z  states   w  bytes a state   b  bits of a packed state   B  values a scale
    r, c  rows and columns   k  rank of the projection

    Holds when:  unpacked states have the type that the optimizer's source gives them.
    Source:      torch 2.13 `optim/adam.py`; bitsandbytes `optim/optimizer.py` (min_8bit_size,
                 get_state_buffer); torchao `optim/adam.py` (_new_buffer); transformers 5.23
                 `optimization.py` (Adafactor); arXiv 2403.03507, table 1 (GaLore).
    Checked by:  AdamW over 8e9 float32 values: 64e9; 8-bit: 8e9 · 2 · (1 + 4/256) = 16.25e9.
    """
    held, paged = _state_parts(tensor, optimizer, width, framework)
    return held + (0 if _is_paged(tensor, optimizer) else paged)


def paged_state_bytes(tensor: Tensor, optimizer: Optimizer, width: int, framework: str) -> int:
    """States of one tensor in managed memory, which no torch counter shows. [B]

    Source: bitsandbytes `optim/optimizer.py`, get_state_buffer.
    """
    return (
        _state_parts(tensor, optimizer, width, framework)[1] if _is_paged(tensor, optimizer) else 0
    )


def _is_paged(tensor: Tensor, optimizer: Optimizer) -> bool:
    return bool(optimizer.paged_from) and tensor.rows * tensor.columns >= optimizer.paged_from


def _state_parts(
    tensor: Tensor, optimizer: Optimizer, width: int, framework: str
) -> tuple[int, int]:
    """Scales, and the states themselves. [B]"""
    one, copies = tensor.rows * tensor.columns, optimizer.state_copies
    own = plain_state_bytes(optimizer, width)
    if optimizer.factored and tensor.columns > 1:
        return 0, FP32_BYTES * (tensor.rows + tensor.columns) * tensor.count
    if is_hidden_matrix(tensor) and optimizer.hidden_copies >= 0:
        return 0, optimizer.hidden_copies * tensor.elements * own
    if is_hidden_matrix(tensor) and optimizer.projected_rank:
        smaller, larger = sorted((tensor.rows, tensor.columns))
        rank = min(optimizer.projected_rank, smaller)
        return 0, (copies * rank * larger + rank * smaller) * tensor.count * own
    if not is_packed(tensor, optimizer, framework):
        return 0, tensor.elements * copies * own
    scales = ceil_div(one, optimizer.block) * SCALE_BYTES
    values = ceil_div(one * optimizer.state_bits, 8)
    return copies * scales * tensor.count, copies * values * tensor.count


def is_packed(tensor: Tensor, optimizer: Optimizer, framework: str) -> bool:
    """Whether a tensor's states are packed: large enough, whole blocks, no table kept in fp32."""
    one = tensor.rows * tensor.columns
    if not optimizer.state_bits or one < optimizer.min_packed:
        return False
    if optimizer.whole_blocks and one % optimizer.block:
        return False
    return not (tensor.kind in TABLE_KINDS and framework in optimizer.wide_tables_in)


def step_bytes(tensors: Tensors, optimizer: Optimizer, width: int) -> int:
    """Copies that live while the optimizer steps over one rank's tensors. [B]

    M_s = x·ΣP·w (all at once);  max(P·(x·w + y) + g·min(r, c)²) (one tensor at a time)

    x  copies   w  bytes a value   y  further bytes a value   g  bytes of the Gram matrices

    Holds when:  matrices that the optimizer treats apart step after the others.
    Source:      torch.optim documentation, `foreach`: "uses ~ sizeof(params) more peak memory";
                 torch 2.13 `optim/_muon.py`, _zeropower_via_newtonschulz.
    Checked by:  Muon, fp32, 4,096 x 14,336: 58,720,256 · 8 + 4 · 4,096² = 536,870,912.
    """
    if optimizer.step_scope == "all-parameters":
        return optimizer.step_copies * elements(tensors) * width
    if optimizer.step_scope == "none":
        return 0
    apart = optimizer.hidden_apart
    stepped = [t for t in tensors if not apart or is_hidden_matrix(t)]
    rest = elements(tuple(t for t in tensors if apart and not is_hidden_matrix(t)))
    largest = max((_largest_step_bytes(t, optimizer, width) for t in stepped), default=0)
    return max(largest, optimizer.rest_step_copies * rest * width)


def _largest_step_bytes(tensor: Tensor, optimizer: Optimizer, width: int) -> int:
    smaller = min(tensor.rows, tensor.columns)
    a_value = optimizer.step_copies * width + optimizer.step_bytes
    if width < FP32_BYTES:
        a_value += optimizer.half_step_bytes
    return tensor.rows * tensor.columns * a_value + optimizer.gram_bytes * smaller * smaller
