"""`python -m benchmarks.models`: the table of all models, docs/MODELS.md, from the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from service.catalog.models import ModelEntry, entry_architecture, load_models
from service.catalog.shelf import Shelf
from service.presentation.catalogs import model_view

ROOT = Path(__file__).resolve().parent.parent
TABLE = ROOT / "docs" / "MODELS.md"
HEAD = """# Models

Written by `make docs` from `config/models`; do not edit. {count} models.

- **parameters** are the unique ones of the model; **files** says what the published files hold
  beside them; **active** are those that one token passes through: all but the experts not chosen.
- **KV** is what 16-bit keys and values take in bytes for one token of context, and behind the arrow
  for one more once every sliding window is full. **encoder KV** is the same for one token of an
  encoder's output. **state** is kept once for each sequence, whatever its length.
- **quantization** is what the published checkpoint declares.

"""
COLUMNS = (
    "model", "architecture", "yields", "parameters", "active", "files", "context", "KV",
    "encoder KV", "state", "quantization",
)  # fmt: skip
LEFT = frozenset({"model", "architecture", "yields", "quantization"})


def number(value: int | None) -> str:
    """A whole number with its thousands apart; nothing for none and for zero."""
    return f"{value:,}" if value else ""


def cache_cell(view: dict[str, Any]) -> str:
    """Bytes of a token, and of a further one beyond the windows where that is less."""
    first, later = view["kv_bytes_per_token"], view["kv_bytes_per_token_beyond_window"]
    return number(first) if first == later else f"{number(first)} → {later:,}"


def cells(entry: ModelEntry) -> tuple[str, ...]:
    """One row."""
    view = model_view(entry_architecture(entry))
    extra = view["checkpoint_parameters"] - view["parameters"]
    return (
        entry.hub_id,
        view["architecture"],
        view["output"],
        number(view["parameters"]),
        number(view["active_parameters"]),
        f"+{extra:,}" if extra else "",
        number(view["context_limit"]),
        cache_cell(view),
        number(view["kv_bytes_per_encoder_token"]),
        number(view["state_bytes_per_sequence"]),
        view["quantization"] or "",
    )


def lines(models: Shelf[ModelEntry]) -> Iterator[str]:
    """Header and rows in Markdown, by name."""
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "| " + " | ".join("---" if name in LEFT else "---:" for name in COLUMNS) + " |"
    for entry in sorted(models, key=lambda one: one.hub_id.lower()):
        yield "| " + " | ".join(cells(entry)) + " |"


def page() -> str:
    """The whole page."""
    models = load_models(ROOT / "config" / "models")
    return HEAD.format(count=len(models.entries)) + "\n".join(lines(models)) + "\n"


if __name__ == "__main__":
    TABLE.write_text(page(), encoding="utf-8")
