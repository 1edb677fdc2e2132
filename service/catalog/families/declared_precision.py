"""What a config declares about the type of its plain weights."""

from __future__ import annotations

from service.catalog.families.reading import Config

PRECISIONS = frozenset({"float64", "float32", "bfloat16", "float16"})


def declared_precision(config: Config) -> str | None:
    """The type of plain weights."""
    named = config.text("torch_dtype", "dtype")
    if named is None:
        return None
    short = named.removeprefix("torch.")
    return short if short in PRECISIONS else None
