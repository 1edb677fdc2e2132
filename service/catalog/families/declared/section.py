"""A checkpoint's quantization_config: from what it says to the bytes of every tensor."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from service.catalog.families.declared.exports import compressed_tensors, modelopt, quark
from service.catalog.families.declared.methods import METHODS, UnknownScheme
from service.catalog.families.declared.patterns import UnreadablePattern
from service.catalog.families.declared.scheme import TOWERS, Scheme, Selection, declared
from service.catalog.families.reading import Config
from service.domain.architecture import Architecture
from service.domain.precision import Declared

SECTIONS = ("quantization_config", "compression_config", "quantization")
NESTED = ("text_config", "llm_config", "language_config", "thinker_config")
READERS: Mapping[str, Callable[[Config], Scheme]] = {
    **METHODS,
    "compressed-tensors": compressed_tensors,
    "modelopt": modelopt,
    "modelopt_fp4": modelopt,
    "modelopt_mixed": modelopt,
    "quark": quark,
}
# names under which a caller may mean the checkpoint's own quantization
SAME = (
    frozenset({"fp8", "fp8-static", "fp8-channel", "fp8-block"}),
    frozenset({"mxfp4", "mxfp4-experts"}),
    frozenset({"nf4", "nf4-dq"}),
    frozenset({"int4-sym", "int4-g64", "int4-g32"}),
)


def section_of(config: Config) -> tuple[Config | None, bool]:
    """The section that declares a quantization, and whether it is the language model's alone."""
    nested = [config.section(name) for name in NESTED if config.has(name)]
    for place in (config, *nested):
        for name in SECTIONS:
            if isinstance(place.data.get(name), Mapping) and place.data[name]:
                return place.section(name), place is not config
    return None, False


def method_of(section: Config) -> str:
    """The `quant_method`, or what the keys of older and other exporters show."""
    named = section.text("quant_method")
    if named is not None:
        return named.lower()
    if section.has("config_groups"):
        return "compressed-tensors"
    if section.has("quant_algo") or section.has("quantization"):
        return "modelopt"
    if section.has("load_in_4bit", "load_in_8bit"):
        return "bitsandbytes"
    return "mlx" if section.has("group_size") and section.has("bits") else ""


def _scheme(method: str, section: Config, *, nested: bool) -> Scheme:
    scheme = READERS[method](section)
    apart = (Selection(kinds=TOWERS),) if nested else ()
    return replace(scheme, selections=(*apart, *scheme.selections))


def declared_quantization(
    config: Config, model: Architecture
) -> tuple[Declared | None, tuple[str, ...]]:
    """The quantization that a checkpoint declares, and notes on what of it is not applied."""
    section, nested = section_of(config)
    if section is None:
        return None, ()
    if config.has("expert_dtype") and not section.has("expert_dtype"):
        section = Config(
            {**section.data, "expert_dtype": config.text("expert_dtype")}, section.path
        )
    method = method_of(section)
    if method not in READERS:
        return None, (f"the checkpoint declares quantization {method[:50]!r}, which is not known "
                      "here: its weights are counted in the base precision",)  # fmt: skip
    try:
        scheme = _scheme(method, section, nested=nested)
        same = next((names for names in SAME if scheme.base in names), frozenset())
        found = declared(scheme, model, same)
    except (UnknownScheme, UnreadablePattern) as error:
        return None, (f"the checkpoint's {method} quantization is not applied: {error}",)
    unmet = [e for s in scheme.selections if s.patterns for e in s.patterns.unmet()]
    if unmet:
        return found, (f"{len(unmet)} entries of the checkpoint's lists name no tensor of this "
                       f"model, such as {unmet[0][:100]!r}",)  # fmt: skip
    return found, ()
