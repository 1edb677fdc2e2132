"""XML for cells that read by XPath: FILTERXML and IMPORTXML."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from service.presentation.sheets.delimited import cell_text

FORBIDDEN = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


def element(name: str, text: str, attributes: Mapping[str, str] | None = None) -> str:
    """One element around text that is already markup."""
    listed = "".join(f' {key}="{safe(value)}"' for key, value in (attributes or {}).items())
    return f"<{name}{listed}>{text}</{name}>"


def safe(text: str) -> str:
    """Text as content or attribute, without characters that XML cannot hold."""
    return escape(FORBIDDEN.sub("\ufffd", text))


def markup(
    columns: Sequence[str],
    rows: Iterable[Iterable[Any]],
    notes: Iterable[str] = (),
    attributes: Mapping[str, str] | None = None,
    decimal: str = ".",
) -> str:
    """`answer` with a `summary` for each note and a `row` for each row, its cells by column."""
    lines = [element("summary", safe(note)) for note in notes]
    for row in rows:
        cells = (
            element(name, safe(cell_text(cell, decimal)))
            for name, cell in zip(columns, row, strict=True)
        )
        lines.append(element("row", "".join(cells)))
    return HEAD + element("answer", "\n" + "\n".join(lines) + "\n", attributes) + "\n"
