"""Checkpoints of compressed-tensors, NVIDIA Model Optimizer and AMD Quark: groups of targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from service.catalog.families.declared import layouts
from service.catalog.families.declared.methods import (
    EVERYWHERE,
    MICRO_GROUP,
    NV_GROUP,
    UnknownScheme,
    group_of,
    kept,
    pair,
)
from service.catalog.families.declared.patterns import patterns
from service.catalog.families.declared.scheme import BLOCKS, Scheme, Selection
from service.catalog.families.reading import Config
from service.domain.packing import PackedFormat

LINEAR = "Linear"
Stored = tuple[str, PackedFormat, int]
FOUR, EIGHT = 4, 8


def compressed_tensors(section: Config) -> Scheme:
    """Groups of targets with their weights' numbers, and an ignore list before them."""
    groups = section.section("config_groups")
    if not groups.data:
        raise UnknownScheme("no config_groups")
    found = [(groups.section(name), stored(groups.section(name))) for name in groups.data]
    base, form, _ = found[0][1]
    return Scheme(
        base=base,
        suffix=_suffix(base, form),
        group=max(other for _, (_, _, other) in found),
        selections=(
            *kept(section),
            *(_targets(one, form) for one, (_, form, _) in found),
        ),
    )


def _suffix(base: str, form: PackedFormat) -> str:
    if base != "int4-sym" or form.block_columns == 128:  # ruff: ignore[magic-value-comparison] - the base's group
        return ""
    return f"-g{form.block_columns}" if form.block_columns else "-row"


def _targets(group: Config, form: PackedFormat) -> Selection:
    targets = group.items("targets") or (LINEAR,)
    if LINEAR in targets:
        return Selection(form=form, kinds=(*EVERYWHERE, "lm_head"))
    return Selection(form=form, kinds=(*EVERYWHERE, "lm_head"), patterns=patterns(targets))


def stored(group: Config) -> Stored:
    """Base, format and group size of one config group."""
    weights, inputs = group.section("weights"), group.section("input_activations")
    bits = weights.integer("num_bits", default=EIGHT, high=layouts.MAX_BITS)
    kind = weights.text("type") or "int"
    strategy = weights.text("strategy") or ("group" if weights.has("group_size") else "channel")
    key = (kind, strategy)
    if key not in STRATEGIES:
        raise UnknownScheme(f"{bits}-bit {kind} by {strategy}")
    static = bool(inputs.data) and not inputs.flag("dynamic")
    return STRATEGIES[key](
        weights, bits, "" if not inputs.data else "static" if static else "dynamic"
    )


def _float_tensor(weights: Config, bits: int, inputs: str) -> Stored:
    del weights
    _only(bits, EIGHT)
    static = inputs == "static"
    return "fp8-static" if static else "fp8", layouts.per_tensor(bits, static=static), 1


def _float_row(weights: Config, bits: int, inputs: str) -> Stored:
    del weights, inputs
    _only(bits, EIGHT)
    return "fp8-channel", layouts.per_row(bits), 1


def _float_block(weights: Config, bits: int, inputs: str) -> Stored:
    del inputs
    _only(bits, EIGHT)
    rows, columns = pair(weights.items("block_structure") or (128, 128))
    return "fp8-block", layouts.per_block(bits, rows, columns), columns


def _float_group(weights: Config, bits: int, inputs: str) -> Stored:
    size = group_of(weights, MICRO_GROUP)
    bases = {4: "mxfp4", 6: "mxfp6", 8: "mxfp8"}
    if bits not in bases or size < 1:
        raise UnknownScheme(f"{bits}-bit float by group of {size}")
    del inputs
    return bases[bits], layouts.microscaled(bits, size), size


def _float_nv(weights: Config, bits: int, inputs: str) -> Stored:
    _only(bits, FOUR)
    size = group_of(weights, NV_GROUP)
    scales = 2 if inputs else 1
    return "nvfp4", layouts.microscaled(bits, size, tensor_scales=scales), size


def _int_row(weights: Config, bits: int, inputs: str) -> Stored:
    symmetric = weights.flag("symmetric", default=True)
    if inputs and bits == EIGHT:
        return "int8-w8a8", layouts.per_row(bits), 1
    base = {4: "int4-sym", 8: "gptq-int8"}.get(bits)
    if base is None:
        raise UnknownScheme(f"{bits}-bit int by channel")
    return base, layouts.grouped(bits, layouts.WHOLE_ROW, zero=not symmetric), 1


def _int_group(weights: Config, bits: int, inputs: str) -> Stored:
    size = group_of(weights)
    order = weights.data.get("actorder")
    if order is not None and not isinstance(order, str | bool):
        raise weights.wrong("actorder", "must be text, true or false")
    ordered = order not in {None, False, "weight", "static"}
    zero = not weights.flag("symmetric", default=True)
    base = {2: "int2", 3: "int3", 4: "w4a8" if inputs else "int4-sym", 8: "gptq-int8"}.get(bits)
    if base is None:
        raise UnknownScheme(f"{bits}-bit int by group")
    return base, layouts.grouped(bits, size, zero=zero, ordered=ordered), max(size, 1)


def _only(bits: int, wanted: int) -> None:
    if bits != wanted:
        raise UnknownScheme(f"{bits}-bit float")


STRATEGIES: Mapping[tuple[str, str], Callable[[Config, int, str], Stored]] = {
    ("float", "tensor"): _float_tensor,
    ("float", "channel"): _float_row,
    ("float", "token"): _float_row,
    ("float", "block"): _float_block,
    ("float", "group"): _float_group,
    ("float", "tensor_group"): _float_nv,
    ("int", "tensor"): _int_row,
    ("int", "channel"): _int_row,
    ("int", "group"): _int_group,
}


def modelopt(section: Config) -> Scheme:
    """Model Optimizer: `quant_algo`, or for mixed precision one for each listed layer."""
    inner = section.section("quantization") if section.has("quantization") else section
    algorithm = (inner.text("quant_algo") or "").upper()
    if algorithm == "MIXED_PRECISION":
        return _mixed(inner)
    base, form, group = _algorithm(algorithm, inner)
    return Scheme(
        base=base, group=group, selections=(*kept(inner), Selection(form=form, kinds=BLOCKS))
    )


def _mixed(section: Config) -> Scheme:
    rows = section.section("quantized_layers")
    by_format: dict[Stored, list[str]] = {}
    for name in rows.data:
        row = rows.section(name)
        found = _algorithm((row.text("quant_algo") or "").upper(), row)
        by_format.setdefault(found, []).append(name)
    if not by_format:
        raise UnknownScheme("MIXED_PRECISION without quantized_layers")
    base, _, _ = max(by_format, key=lambda one: len(by_format[one]))
    return Scheme(
        base=base,
        group=max(group for _, _, group in by_format),
        selections=tuple(
            Selection(form=form, patterns=patterns(names))
            for (_, form, _), names in by_format.items()
        ),
    )


def _algorithm(name: str, section: Config) -> Stored:
    if name not in ALGORITHMS:
        raise UnknownScheme(f"quant_algo {name or 'not given'}")
    base, default = ALGORITHMS[name]
    size = group_of(section, default) if default else 1
    forms = {
        "nvfp4": lambda: layouts.microscaled(FOUR, size, tensor_scales=2),
        "mxfp4": lambda: layouts.microscaled(FOUR, size),
        "mxfp8": lambda: layouts.microscaled(EIGHT, size),
        "fp8-static": lambda: layouts.per_tensor(EIGHT, static=True),
        "fp8-channel": lambda: layouts.per_row(EIGHT),
        "fp8-block": lambda: layouts.per_block(EIGHT, size, size),
        "int4-sym": lambda: layouts.grouped(FOUR, size, zero=False),
        "w4a8": lambda: layouts.grouped(FOUR, size, zero=False),
        "int8-w8a8": lambda: layouts.per_row(EIGHT),
    }
    return base, forms[base](), size


ALGORITHMS: Mapping[str, tuple[str, int]] = {
    "FP8": ("fp8-static", 0),
    "FP8_PER_CHANNEL_PER_TOKEN": ("fp8-channel", 0),
    "FP8_PB_WO": ("fp8-block", 128),
    "FP8_PB_REAL_QUANT": ("fp8-block", 128),
    "INT8_SQ": ("int8-w8a8", 0),
    "NVFP4": ("nvfp4", NV_GROUP),
    "NVFP4_AWQ": ("nvfp4", NV_GROUP),
    "MXFP4": ("mxfp4", MICRO_GROUP),
    "MXFP8": ("mxfp8", MICRO_GROUP),
    "W4A16_AWQ": ("int4-sym", 128),
    "INT4_AWQ": ("int4-sym", 128),
    "W4A8_AWQ": ("w4a8", 128),
}


def quark(section: Config) -> Scheme:
    """Quark: one format for all, others for patterns of layers, and an exclude list."""
    weight = section.section("global_quant_config").section("weight")
    base, form, group = _quark_format(weight)
    others = section.section("layer_quant_config")
    named = tuple(
        Selection(
            patterns=patterns([name]), form=_quark_format(others.section(name).section("weight"))[1]
        )
        for name in others.data
    )
    return Scheme(
        base=base,
        group=group,
        selections=(*kept(section), *named, Selection(form=form, kinds=BLOCKS)),
    )


def _quark_format(weight: Config) -> Stored:
    key = (weight.text("dtype") or "", weight.text("qscheme") or "")
    size = group_of(weight, MICRO_GROUP)
    forms: Mapping[tuple[str, str], Callable[[], Stored]] = {
        ("fp8_e4m3", "per_tensor"): lambda: (
            "fp8-static", layouts.per_tensor(EIGHT, static=True), 1),
        ("fp8_e4m3", "per_channel"): lambda: ("fp8-channel", layouts.per_row(EIGHT), 1),
        ("fp4", "per_group"): lambda: ("mxfp4", layouts.microscaled(FOUR, size), size),
        ("int8", "per_channel"): lambda: ("int8-w8a8", layouts.per_row(EIGHT), 1),
        ("int4", "per_group"): lambda: ("int4-sym", layouts.grouped(FOUR, size, zero=False), size),
        ("uint4", "per_group"): lambda: ("awq-int4", layouts.grouped(FOUR, size, zero=True), size),
    }  # fmt: skip
    if key not in forms:
        raise UnknownScheme(f"{key[0]} {key[1]}")
    return forms[key]()
