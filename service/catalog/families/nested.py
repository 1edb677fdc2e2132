"""Configs within configs: the section of the decoder, and sections filled from their class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.catalog.families.class_defaults import CLASS_DEFAULTS
from service.catalog.families.reading import Config

TEXT_SECTIONS = ("text_config", "language_config", "llm_config")
OUTER_KEYS = ("tie_word_embeddings", "architectures")


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
    where = section.path.removeprefix("model.config.")
    note = (
        f"{where} leaves out {', '.join(absent)}: the sizes of the class {known} are used"
        if absent and section.data
        else f"{where} is missing: the sizes of the class {known} are used"
        if absent
        else ""
    )
    return Config(data, section.path), note


def _with_outer_keys(config: Config, text: Config) -> Config:
    """The decoder's section under the wrapper's word on tying, and on the published class."""
    config.flag("tie_word_embeddings")
    outer = {key: config.data[key] for key in OUTER_KEYS if config.data.get(key) is not None}
    inner = {key: value for key, value in text.data.items() if key != "architectures"}
    return Config({**inner, **outer}, text.path)


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
