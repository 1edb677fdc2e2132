"""Configs within configs: the section of the decoder, and sections filled from their class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.catalog.families.class_defaults import CLASS_DEFAULTS
from service.catalog.families.reading import WHOLE, Config

TEXT_SECTIONS = ("text_config", "language_config", "llm_config")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """A wrapper's config with every section filled, the decoder's own, and what was filled in."""

    whole: Config
    text: Config
    notes: tuple[str, ...]


def sections(config: Config, text_kind: str, classes: Mapping[str, str]) -> Sections:
    """Sections of a wrapper; `classes` names the class that reads a section it leaves out.

    A decoder without a section of its own has its keys beside the others. Its own model type says
    which class reads it; a tower's section often repeats the wrapper's.
    """
    key = next((name for name in TEXT_SECTIONS if config.has(name)), None)
    if key is None and config.has("hidden_size"):
        text, note = filled(Config({**config.data, "model_type": text_kind}, config.path), "")
    else:
        section = config.section(key or TEXT_SECTIONS[0])
        text, note = filled(section, section.text("model_type") or text_kind)
    text = _with_outer_keys(config, text)
    data, notes = dict(config.data), [note]
    for name, kind in classes.items():
        section, note = filled(config.section(name), kind)
        data[name] = section.data
        notes.append(note)
    return Sections(
        whole=Config(data, config.path), text=text, notes=tuple(note for note in notes if note)
    )


def filled(section: Config, kind: str) -> tuple[Config, str]:
    """A section with its class's sizes where it has none, and a note that says so."""
    named = section.text("model_type")
    known = named if named in CLASS_DEFAULTS else kind
    defaults = CLASS_DEFAULTS.get(known or "", {})
    absent = sorted(key for key in defaults if key not in section.data)
    data = {"model_type": kind, **defaults, **section.data}
    if named is None:
        data["model_type"] = kind or data.get("model_type")
    where = section.path.removeprefix(f"{WHOLE}.")
    note = ""
    if absent and section.data:
        note = f"{where} leaves out {', '.join(absent)}: the sizes of the class {known} are used"
    elif absent:
        note = f"{where} is missing: the sizes of the class {known} are used, perhaps not its own"
    return Config(data, section.path), note


def _with_outer_keys(config: Config, text: Config) -> Config:
    """The decoder's section under the wrapper's word on tying, and on a class it does not name."""
    config.flag("tie_word_embeddings")
    tied = config.data.get("tie_word_embeddings")
    outer = {"architectures": config.data.get("architectures")}
    inner = {
        key: value for key, value in text.data.items() if value is not None or key not in outer
    }
    return Config(
        {**outer, **inner, **({} if tied is None else {"tie_word_embeddings": tied})}, text.path
    )


def declarations(config: Config) -> Config:
    """What a checkpoint declares of its numbers: the wrapper's word, else the decoder's."""
    inner: dict[str, object] = {}
    for key in TEXT_SECTIONS:
        inner.update(config.section(key).data)
    outer = {key: value for key, value in config.data.items() if value is not None}
    return Config({**inner, **outer}, config.path)


def extent(config: Config, key: str, default: int | None = None) -> tuple[int, int]:
    """Rows and columns of an image or a patch: one number for a square, or two."""
    if not isinstance(config.data.get(key), list):
        side = config.integer(key, default=default)
        return side, side
    return config.by_layer(0, key), config.by_layer(1, key)
