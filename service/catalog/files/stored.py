"""From the tensors that files list to blocks, their rules, and what stands around them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from service.catalog.files.listing import Listed, UnreadableHeader
from service.domain.architecture import StoredFile
from service.domain.packing import PackedFormat
from service.domain.precision import Rule
from service.domain.tensors import Cut, Kind, Tensor, Tensors

MAX_DISTINCT = 10_000
BLOCK = re.compile(r"(?:^|\.)(?:layers|blk|h|blocks|layer)\.(\d{1,5})\.(.*)$", re.ASCII)
TOWER = re.compile(r"(?:^|\.)(?:v|visual|vision\w*|audio\w*|image\w*)\.", re.ASCII)
EXPERT = re.compile(r"\bexperts\.\d+\.|_exps\.|\.experts\.")
NUMBERED = re.compile(r"\bexperts\.\d{1,6}\.", re.ASCII)
UNSAFE = re.compile(r"[^\w.\-/]", re.ASCII)
AFTER = re.compile(r"^(?:lm_head|output|output_norm|model\.norm|norm)\b")
# the first row whose words a name holds says its kind and how tensor parallelism divides it
PLACES: tuple[tuple[re.Pattern[str], Kind, Cut], ...] = (
    (re.compile(r"norm|scale_shift|layernorm"), "norm", "none"),
    (re.compile(r"ffn_gate_inp|mlp\.gate\.|router|\.gate\.weight"), "router", "none"),
    (re.compile(r"shared_expert|_shexp"), "shared_expert", "rows"),
    (re.compile(r"_a_proj|attn_q_a|attn_kv_a"), "attention", "none"),
    (re.compile(r"o_proj|attn_output|attention\.dense|out_proj"), "attention", "columns"),
    (re.compile(r"[qkv]_proj|qkv|attn_[qkv]|[qk]v?_b_proj|c_attn"), "attention", "rows"),
    (re.compile(r"down_proj|ffn_down|\bw2\b|c_proj"), "mlp", "columns"),
    (re.compile(r"gate_proj|up_proj|gate_up|ffn_gate|ffn_up|\bw[13]\b|c_fc"), "mlp", "rows"),
    (re.compile(r"lm_head|^output\."), "lm_head", "rows"),
    (re.compile(r"embed_tokens|token_embd|wte|word_embeddings"), "embedding", "rows"),
)


@dataclass(slots=True)
class Gathered:
    """Tensors by block, each name with the formats that it has in the blocks."""

    blocks: dict[int, dict[str, Tensor]] = field(default_factory=dict)
    around: dict[str, Tensor] = field(default_factory=dict)
    forms: dict[str, dict[int | None, PackedFormat]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gleaned:
    """A file's tensors as the domain holds them; `beyond` is of blocks after the model's last."""

    stored: StoredFile
    rules: tuple[Rule, ...]
    beyond: int


def block_of(name: str) -> int | None:
    """The number of the decoder block that a name stands in."""
    found = BLOCK.search(name)
    return int(found.group(1)) if found and not TOWER.search(name[: found.start(1)]) else None


def gleaned(tensors: Iterable[Listed], layers: int) -> Gleaned:
    """Tensors of a file, sorted into so many blocks."""
    found, beyond = Gathered(), 0
    for one in tensors:
        layer = block_of(one.name)
        if layer is not None and layer >= layers:
            beyond += one.elements
        else:
            _gather(found, one, layer)
    after = tuple(t for name, t in found.around.items() if AFTER.search(name))
    before = tuple(t for name, t in found.around.items() if not AFTER.search(name))
    blocks = (tuple(found.blocks.get(i, {}).values()) for i in range(layers))
    alike: dict[Tensors, Tensors] = {}
    return Gleaned(
        stored=StoredFile(
            blocks=tuple(alike.setdefault(block, block) for block in blocks),
            before=before,
            after=after,
        ),
        rules=_rules(found.forms),
        beyond=beyond,
    )


def _gather(found: Gathered, one: Listed, layer: int | None) -> None:
    """Put a tensor into its block; alike experts become one tensor that occurs so often."""
    block = BLOCK.search(one.name) if layer is not None else None
    known = f"block.{block.group(2)}" if block else one.name
    name = UNSAFE.sub("_", NUMBERED.sub("experts.", known))
    place = found.around if layer is None else found.blocks.setdefault(layer, {})
    tensor = _tensor(name, one)
    number = 1
    while tensor.name in place:
        held = place[tensor.name]
        same = (held.rows, held.columns) == (tensor.rows, tensor.columns)
        if same and held.kind == "expert" and found.forms[held.name][layer] == one.form:
            place[held.name] = _more(held, tensor.count)
            return
        number += 1
        tensor = _tensor(f"{name}-{number}", one)
    if len(found.forms) > MAX_DISTINCT and tensor.name not in found.forms:
        raise UnreadableHeader("model", f"more than {MAX_DISTINCT} different tensors")
    place[tensor.name] = tensor
    found.forms.setdefault(tensor.name, {})[layer] = one.form


def _more(held: Tensor, count: int) -> Tensor:
    return Tensor(
        name=held.name,
        kind=held.kind,
        rows=held.rows,
        columns=held.columns,
        count=held.count + count,
        cut=held.cut,
        linear=held.linear,
    )


def _tensor(name: str, one: Listed) -> Tensor:
    kind, cut = next(((k, c) for pattern, k, c in PLACES if pattern.search(name)), ("bias", "none"))
    columns = one.shape[-1] if one.shape else 1
    rows, count = one.elements // max(columns, 1), 1
    if EXPERT.search(name) and kind not in {"norm", "router"}:
        kind = "expert"
        stacked = len(one.shape) > 2  # ruff: ignore[magic-value-comparison] - experts, rows, columns
        count = one.shape[0] if stacked else 1
    matrix = len(one.shape) > 1
    return Tensor(
        name=name,
        kind=kind,
        rows=rows // max(count, 1),
        columns=columns,
        count=count,
        cut=cut if matrix else "none",
        linear=matrix,
    )


def _rules(forms: Mapping[str, Mapping[int | None, PackedFormat]]) -> tuple[Rule, ...]:
    chosen: dict[tuple[PackedFormat, frozenset[int] | None], list[str]] = {}
    for name, places in forms.items():
        by_form: dict[PackedFormat, set[int]] = {}
        for layer, form in places.items():
            by_form.setdefault(form, set()).update(() if layer is None else (layer,))
        for form, found in by_form.items():
            everywhere = len(by_form) == 1
            chosen.setdefault((form, None if everywhere else frozenset(found)), []).append(name)
    return tuple(
        Rule(format=form, exact=frozenset(names), layers=found)
        for (form, found), names in chosen.items()
    )


def all_tensors(stored: StoredFile) -> Tensors:
    """Every tensor of a file that is loaded."""
    return (*stored.before, *(t for block in stored.blocks for t in block), *stored.after)
