"""What a config declares about its stored numbers: their type and their quantization."""

from __future__ import annotations

from service.catalog.families.reading import Config

PRECISIONS = frozenset({"float64", "float32", "bfloat16", "float16"})
FOUR_BITS, EIGHT_BITS = 4, 8


def declared_precision(config: Config) -> str | None:
    """The type of plain weights."""
    named = config.text("torch_dtype", "dtype")
    if named is None:
        return None
    short = named.removeprefix("torch.")
    return short if short in PRECISIONS else None


def declared_quantization(config: Config) -> tuple[str | None, tuple[str, ...]]:
    """The key of the quantization that a checkpoint declares, or why it is not read."""
    section = config.section("quantization_config")
    method = section.text("quant_method")
    if not section.data:
        return None, ()
    found = _by_method(section, method or "")
    if found is None:
        return None, (f"the checkpoint declares quantization {method!r}, which is not applied",)
    return found, ()


def _by_method(section: Config, method: str) -> str | None:
    if method == "fp8":
        return "fp8-block" if section.items("weight_block_size") else "fp8"
    if method in {"awq", "gptq"}:
        bits = section.integer("bits", "w_bit", default=FOUR_BITS)
        return {("awq", 4): "awq-int4", ("gptq", 4): "gptq-int4", ("gptq", 8): "gptq-int8"}.get((
            method,
            bits,
        ))
    if method == "bitsandbytes":
        return _bitsandbytes(section)
    if method == "compressed-tensors":
        return _compressed(section)
    return {"mxfp4": "mxfp4-experts", "fbgemm_fp8": "fp8-channel", "modelopt": None}.get(method)


def _bitsandbytes(section: Config) -> str:
    if section.flag("load_in_8bit", "_load_in_8bit"):
        return "llm-int8"
    return "nf4-dq" if section.flag("bnb_4bit_use_double_quant") else "nf4"


def _compressed(section: Config) -> str | None:
    groups = section.section("config_groups")
    first = next(iter(groups.data), None)
    if first is None:
        return None
    group = groups.section(first)
    weights, inputs = group.section("weights"), group.section("input_activations")
    bits, kind = weights.integer("num_bits", default=EIGHT_BITS), weights.text("type")
    table = {
        (EIGHT_BITS, "float"): "fp8-channel",
        (EIGHT_BITS, "int"): "int8-w8a8" if inputs.data else "gptq-int8",
        (FOUR_BITS, "int"): "int4-sym",
        (FOUR_BITS, "float"): "nvfp4",
    }
    return table.get((bits, kind or ""))
