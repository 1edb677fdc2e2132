"""Forms of a report: JSON, CSV, Markdown, text, YAML; one function each and the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from service.presentation.sheets.delimited import delimited


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A result to be shown: its whole data, a summary in words, and rows of a table.

    columns  of the CSV, where they are promised even without a row
    shown    rows for a reader where they differ from those of the CSV
    fits     whether what was asked about fits; None where that was not asked
    """

    data: Mapping[str, Any]
    summary: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    columns: tuple[str, ...] = ()
    shown: tuple[Mapping[str, Any], ...] | None = None
    fits: bool | None = None


def json_text(data: Any) -> str:
    """Compact JSON."""
    return orjson.dumps(data).decode()


def as_json(report: Report) -> str:
    """The whole data."""
    return json_text(report.data)


def as_yaml(report: Report) -> str:
    """The whole data; JSON is YAML 1.2."""
    return json.dumps(report.data, indent=2, allow_nan=False) + "\n"


def csv_columns(report: Report) -> tuple[str, ...]:
    """The columns that a report promises, else those of its rows."""
    return report.columns or (tuple(report.rows[0]) if report.rows else ("status",))


def as_csv(report: Report) -> str:
    """The rows, RFC 4180."""
    columns = csv_columns(report)
    return delimited(columns, ([row.get(name) for name in columns] for row in report.rows))


def table(report: Report) -> list[list[str]]:
    """Header and rows as text."""
    rows = report.rows if report.shown is None else report.shown
    if not rows:
        return []
    columns = list(rows[0])
    body = [["" if row.get(c) is None else str(row[c]) for c in columns] for row in rows]
    return [columns, *body]


def as_markdown(report: Report) -> str:
    """Summary and a table."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in table(report)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    if lines:
        lines.insert(1, "|" + " --- |" * len(cells[0]))
    first, *rest = report.summary or ("",)
    listed = [f"  - {line.strip()}" if line.startswith(" ") else f"- {line}" for line in rest]
    blocks = (f"**{first}**", "\n".join(listed), "\n".join(lines))
    return "\n\n".join(block for block in blocks if block) + "\n"


def as_text(report: Report) -> str:
    """Summary and aligned columns."""
    cells = table(report)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in cells
    ]
    return "\n".join([*report.summary, *([""] if lines else []), *lines]) + "\n"


RENDERERS: Mapping[str, Callable[[Report], str]] = {
    "application/json": as_json,
    "text/csv": as_csv,
    "text/markdown": as_markdown,
    "text/plain": as_text,
    "application/yaml": as_yaml,
}
