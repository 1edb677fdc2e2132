"""quantization_config by its `quant_method`: one small function each, and the table of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from service.catalog.families.declared import layouts
from service.catalog.families.declared.patterns import Patterns, UnreadablePattern, patterns
from service.catalog.families.declared.scheme import BLOCKS, TOWERS, Scheme, Selection
from service.catalog.families.reading import Config
from service.domain.packing import PackedFormat

IGNORED = (
    "modules_to_not_convert",
    "ignored_layers",
    "ignore",
    "exclude_modules",
    "exclude",
    "llm_int8_skip_modules",
)
GROUP = ("group_size", "q_group_size")
MICRO_GROUP, NV_GROUP, DEFAULT_GROUP, NF4_BLOCK = 32, 16, 128, 64
EVERYWHERE = (*BLOCKS, *TOWERS)


class UnknownScheme(ValueError):
    """A declared quantization that is not known here, and what of it."""


def listed(section: Config, *keys: str) -> Patterns | None:
    """The names of a list, under the first key that holds one."""
    for key in keys or IGNORED:
        value = section.data.get(key)
        if isinstance(value, list) and value:
            return patterns(value)
    return None


def kept(section: Config) -> tuple[Selection, ...]:
    """What stays in 16 bits by the section's own list."""
    found = listed(section)
    return (Selection(patterns=found),) if found else ()


def group_of(section: Config, default: int = DEFAULT_GROUP) -> int:
    """Columns of a group; -1 is the whole row."""
    size = section.integer(*GROUP, default=default, low=-1, high=layouts.MAX_GROUP)
    if size == 0:
        raise UnknownScheme("a group of 0 columns")
    return size


def bits_of(section: Config, *keys: str) -> int:
    """Bits of a value."""
    return section.integer(*(keys or ("bits", "w_bit")), default=4, high=layouts.MAX_BITS)


def fp8(section: Config) -> Scheme:
    """Transformers' fine-grained FP8 and vLLM's fp8: blocks where the config states them.

    DeepSeek V4 says with `expert_dtype` that its experts stand in MXFP4 all the same.
    """
    block = section.items("weight_block_size")
    four = Selection(form=layouts.microscaled(4, MICRO_GROUP), kinds=("expert",))
    narrow = (four,) if section.text("expert_dtype") == "fp4" else ()
    static = section.text("activation_scheme") == "static"
    if block is None:
        form, base = layouts.per_tensor(8, static=static), "fp8-static" if static else "fp8"
    else:
        rows, columns = pair(block)
        form, base = layouts.per_block(8, rows, columns), "fp8-block"
    return Scheme(
        base=base,
        group=1 if block is None else pair(block)[1],
        selections=(*kept(section), *narrow, Selection(form=form, kinds=EVERYWHERE)),
    )


def pair(block: tuple[object, ...]) -> tuple[int, int]:
    """Rows and columns of a block."""
    sizes = [b for b in block if isinstance(b, int) and not isinstance(b, bool) and b > 0]
    if len(sizes) != len(block) or len(sizes) != 2:  # ruff: ignore[magic-value-comparison] - rows and columns
        raise UnknownScheme("weight_block_size is no pair of whole numbers")
    return sizes[0], sizes[1]


def fbgemm(section: Config) -> Scheme:
    """FP8 with one scale a row; without a list, what Meta's release leaves: see below.

    Source: The Llama 3 Herd of Models, arXiv 2407.21783, section 6.2: no attention, and neither
    the first nor the last layer.
    """
    named = kept(section) or (Selection(kinds=("attention",)), Selection(ends=1))
    form = Selection(form=layouts.per_row(8), kinds=BLOCKS)
    return Scheme(base="fp8-channel", selections=(*named, form))


def mxfp4(section: Config) -> Scheme:
    """gpt-oss: the experts only. Engines pad an expert's part of a rank to whole blocks."""
    form = layouts.microscaled(4, MICRO_GROUP)
    return Scheme(
        base="mxfp4-experts",
        selections=(*kept(section), Selection(form=form, kinds=("expert",))),
    )


def awq(section: Config) -> Scheme:
    """AutoAWQ: groups with zero points."""
    bits, group = bits_of(section), group_of(section)
    form = layouts.grouped(bits, group, zero=section.flag("zero_point", default=True))
    return integers("awq-int4" if bits == 4 else f"int{bits}", bits, group, section, form)  # ruff: ignore[magic-value-comparison] - bits


def gptq(section: Config) -> Scheme:
    """GPTQ: zero points are stored even where they are all alike, and the group of every column."""
    bits, group = bits_of(section), group_of(section)
    form = layouts.grouped(bits, group, zero=True, ordered=True)
    only = section.data.get("modules_in_block_to_quantize")
    names = [name for row in only for name in row] if isinstance(only, list) else []
    taken = Selection(form=form, kinds=BLOCKS, patterns=patterns(names) if names else None)
    head = (Selection(form=form, kinds=("lm_head",)),) if section.flag("lm_head") else ()
    base = GPTQ_BASES.get(bits)
    if base is None:
        raise UnknownScheme(f"{bits} bits")
    return Scheme(
        base=base,
        suffix=suffix(group),
        group=max(group, 1),
        selections=(*dynamic(section, bits, group), *kept(section), *head, taken),
    )


GPTQ_BASES: Mapping[int, str] = {2: "int2", 3: "int3", 4: "gptq-int4", 8: "gptq-int8"}


def suffix(group: int) -> str:
    """What an id adds for a group of another size."""
    if group == layouts.WHOLE_ROW:
        return "-row"
    return "" if group == DEFAULT_GROUP else f"-g{group}"


def integers(base: str, bits: int, group: int, section: Config, form: PackedFormat) -> Scheme:
    """Integers in the decoder's blocks."""
    if bits not in GPTQ_BASES:
        raise UnknownScheme(f"{bits} bits")
    return Scheme(
        base=base,
        suffix=suffix(group),
        group=max(group, 1),
        selections=(*kept(section), Selection(form=form, kinds=BLOCKS)),
    )


def dynamic(section: Config, bits: int, group: int) -> tuple[Selection, ...]:
    """GPTQModel's `dynamic`: `-:pattern` leaves modules, `+:pattern` gives them other numbers."""
    rows = section.section("dynamic")
    found = []
    for key in rows.data:
        sign, pattern = (key[:1], key[2:]) if key[1:2] == ":" else ("+", key)
        named = patterns(["re:" + pattern])
        if sign == "-":
            found.append(Selection(patterns=named))
            continue
        other = rows.section(key)
        form = layouts.grouped(
            other.integer("bits", default=bits, high=layouts.MAX_BITS),
            group_of(other, group),
            zero=True,
            ordered=True,
        )
        found.append(Selection(patterns=named, kinds=BLOCKS, form=form))
    return tuple(found)


def auto_round(section: Config) -> Scheme:
    """AutoRound: the layout of GPTQ without the groups of columns."""
    bits, group = bits_of(section), group_of(section)
    form = layouts.grouped(bits, group, zero=True)
    base = GPTQ_BASES.get(bits, "")
    if not base or section.section("extra_config").data:
        raise UnknownScheme("extra_config" if base else f"{bits} bits")
    return integers(base, bits, group, section, form)


def bitsandbytes(section: Config) -> Scheme:
    """LLM.int8() or 4-bit floats, with or without double quantization."""
    eight = section.flag("load_in_8bit", "_load_in_8bit")
    double = section.flag("bnb_4bit_use_double_quant")
    if eight:
        base, form = "llm-int8", layouts.per_row(8)
    else:
        base, form = ("nf4-dq" if double else "nf4"), layouts.four_bit_floats(double=double)
    return Scheme(base=base, selections=(*kept(section), Selection(form=form, kinds=EVERYWHERE)))


def eetq(section: Config) -> Scheme:
    """EETQ: int8 with one scale an output row."""
    form = Selection(form=layouts.per_row(8), kinds=BLOCKS)
    return Scheme(base="int8-w8a8", selections=(*kept(section), form))


def hqq(section: Config) -> Scheme:
    """HQQ: a scale and a zero point a group."""
    inner = section.section("quant_config").section("weight_quant_params")
    inner = inner if inner.data else section
    bits, group = bits_of(inner, "nbits", "bits"), group_of(inner, NF4_BLOCK)
    bases = {2: "hqq-int2", 3: "hqq-int3", 4: "hqq-int4"}
    if bits not in bases:
        raise UnknownScheme(f"{bits} bits")
    form = Selection(form=layouts.affine(bits, group), kinds=BLOCKS)
    named = kept(section) + tuple(
        Selection(patterns=found) for found in (listed(section, "skip_modules"),) if found
    )
    return Scheme(base=bases[bits], group=group, selections=(*named, form))


def mlx(section: Config) -> Scheme:
    """MLX: every linear layer and the table; a scale and an offset a group."""
    bits, group = bits_of(section), group_of(section, NF4_BLOCK)
    form = layouts.affine(bits, group)
    kinds = (*BLOCKS, "lm_head", "embedding", "router")
    return Scheme(
        base="mlx-4bit",
        suffix="" if (bits, group) == (4, NF4_BLOCK) else f"-{bits}bit-g{group}",
        group=group,
        selections=(Selection(form=form, kinds=kinds),),
    )


METHODS: Mapping[str, Callable[[Config], Scheme]] = {
    "auto-round": auto_round,
    "awq": awq,
    "bitsandbytes": bitsandbytes,
    "eetq": eetq,
    "fbgemm_fp8": fbgemm,
    "fp8": fp8,
    "gptq": gptq,
    "hqq": hqq,
    "mlx": mlx,
    "mxfp4": mxfp4,
}

__all__ = ["METHODS", "UnknownScheme", "UnreadablePattern"]
