"""Worked examples as sheets of cells, whatever the file they go into.

A row asks; the headings of the answers are names of fields, so that a reader who writes another
field there gets another column. Every answer is one formula, the same in all cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.presentation.sheets.fields import Cell

Pairs = Sequence[tuple[str, str]]
Ask = Callable[[str, Pairs, str], Cell]
ADDRESS = "$B$1"
FIRST_ROW = 4
"""The row of the headings, counted as a spreadsheet counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Formula:
    """A formula in A1 notation, with its value as it was when the file was made."""

    text: str
    value: Cell


Content = Cell | Formula


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """One sheet: what is asked in which columns, the rows, and what is shown of the answers."""

    name: str
    of: str
    asked: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shown: tuple[str, ...]


WORKED = (
    Worked(
        name="Plan",
        of="plan",
        asked=("model", "ctx", "users", "gpu", "quant"),
        rows=(
            ("llama-3.1-8b", 8192, 16, "l40s-48gb", None),
            ("llama-3.3-70b", 32768, 16, "h100-sxm5-80gb", "fp8"),
            ("qwen3-30b-a3b", 16384, 8, "l40s-48gb", "none"),
            ("llama-3.1-8b", "8k", 16, "l4-24gb", "none"),
        ),
        shown=(
            "fits", "cards", "gpu", "quantization", "required_gib", "headroom_percent", "servers",
            "unit_hourly_usd", "hourly_usd", "monthly_usd", "purchase_usd", "power_watts",
            "price_date", "price_source",
        ),
    ),
    Worked(
        name="Estimate",
        of="estimate",
        asked=("model", "ctx", "users", "gpu", "cards"),
        rows=(
            ("llama-3.1-8b", 8192, 16, "l40s-48gb", 1),
            ("llama-3.1-8b", 8192, 64, "l40s-48gb", 1),
            ("llama-3.3-70b", 8192, 16, "h100-sxm5-80gb", 4),
        ),
        shown=(
            "fits", "verdict", "required_gib", "available_gib", "headroom_percent", "weights_gib",
            "kv_cache_gib", "max_concurrency", "max_context_tokens",
        ),
    ),
)  # fmt: skip
READ_ME = (
    "Every answer is asked from the planner whose address stands in B1 of a sheet.",
    "Write your own questions below the examples and copy the grey cells down.",
    "A heading of a grey cell is the name of a field: write another and the column changes.",
    "LibreOffice asks before a file may fetch anything: allow it, then Ctrl+Shift+F9.",
    "WEBSERVICE works in Excel for Windows, not for Mac or the web; Power Query works there too.",
    "#N/A with words says what is wrong with a question.",
    "An empty cell is a value that nobody knows; it is never 0.",
    "docs/SPREADSHEETS.md of the project says more.",
)


def letters(column: int) -> str:
    """A column's name, counted from 1."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


def text_of(cell: Cell) -> str:
    """A cell as a query says it."""
    return "" if cell is None else str(cell)


def query(sheet: Worked, row: int) -> str:
    """The formula of a row's question; nothing where the row asks for no model.

    LibreOffice's ENCODEURL fails on an empty cell, so those are left out.
    """
    cells = ((f"{letters(at)}{row}", name) for at, name in enumerate(sheet.asked, start=1))
    parts = "&".join(f'IF({at}="","","&{name}="&ENCODEURL({at}))' for at, name in cells)
    return f'IF($A{row}="","","?on_error=text&of={sheet.of}"&{parts})'


def value(sheet: Worked, row: int, column: int) -> str:
    """The formula of one answer: a number where it is one, in every country, else text."""
    asked = f"${letters(len(sheet.asked) + 1)}{row}"
    called = f'WEBSERVICE({ADDRESS}&"/v1/scalar/"&{letters(column)}${FIRST_ROW}&{asked})'
    number = f'IFERROR(NUMBERVALUE({called},"."),{called})'
    return f'IF({asked}="","",IF(LEN({called})=0,"",{number}))'


def lines(sheet: Worked, address: str, ask: Ask) -> Iterator[tuple[Content, ...]]:
    """The rows of a sheet from its first."""
    yield ("Planner", address)
    yield ("Each grey cell asks the planner; its heading is the name of a field.",)
    yield ()
    yield (*sheet.asked, "question", *sheet.shown)
    start = len(sheet.asked) + 2
    for row, given in enumerate(sheet.rows, start=FIRST_ROW + 1):
        pairs = [(name, text_of(cell)) for name, cell in zip(sheet.asked, given, strict=True)]
        question = "".join(f"&{name}={text}" for name, text in pairs if text)
        asked = Formula(text=query(sheet, row), value=f"?on_error=text&of={sheet.of}{question}")
        answers = (
            Formula(text=value(sheet, row, column), value=ask(sheet.of, pairs, name))
            for column, name in enumerate(sheet.shown, start=start)
        )
        yield (*given, asked, *answers)


def worked_sheets(address: str, ask: Ask) -> Mapping[str, list[tuple[Content, ...]]]:
    """Every sheet by name, the last for reading."""
    found = {sheet.name: list(lines(sheet, address, ask)) for sheet in WORKED}
    return {**found, "Read me": [(line,) for line in READ_ME]}
