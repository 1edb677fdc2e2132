"""XLSX with typed cells: text is never a formula, and the same data give the same bytes."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

LONGEST_TEXT = 32_767
LARGEST_WHOLE = 2**53
WIDEST, NARROWEST = 60, 8
MADE = datetime(2026, 1, 1, tzinfo=UTC)
"""XlsxWriter would write the clock; an answer holds none."""

OPTIONS = {
    "in_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One sheet of a workbook: a header and rows."""

    name: str
    columns: Sequence[str]
    rows: Iterable[Iterable[Any]]


def notes_sheet(lines: Iterable[str]) -> Sheet:
    """Lines of words on a sheet of their own."""
    return Sheet(name="notes", columns=("notes",), rows=((line,) for line in lines))


def workbook(sheets: Iterable[Sheet]) -> bytes:
    """An XLSX file."""
    from xlsxwriter import Workbook  # ruff: ignore[import-outside-top-level] - 12 MiB that few requests need

    out = io.BytesIO()
    book = Workbook(out, OPTIONS)
    book.set_properties({"created": MADE.replace(tzinfo=None)})
    bold = book.add_format({"bold": True})
    formats = {
        datetime: book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        date: book.add_format({"num_format": "yyyy-mm-dd"}),
        time: book.add_format({"num_format": "hh:mm:ss"}),
        timedelta: book.add_format({"num_format": "[h]:mm:ss"}),
    }
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        page.freeze_panes(1, 0)
        for column, width in enumerate(_written(page, sheet, bold, formats)):
            page.set_column(column, column, width)
    book.close()
    return out.getvalue()


def _written(page: Worksheet, sheet: Sheet, bold: Any, formats: dict[Any, Any]) -> Iterator[int]:
    widths = [NARROWEST] * len(sheet.columns)
    for column, name in enumerate(sheet.columns):
        page.write_string(0, column, name[:LONGEST_TEXT], bold)
        widths[column] = max(widths[column], len(name) + 2)
    for number, row in enumerate(sheet.rows, start=1):
        for column, value in enumerate(row):
            _write(page, (number, column), value, formats)
            if isinstance(value, str):
                widths[column] = max(widths[column], len(value))
    return (min(WIDEST, width) for width in widths)


def _write(page: Worksheet, place: tuple[int, int], value: Any, formats: dict[Any, Any]) -> None:
    if value is None or value == "":
        return
    if isinstance(value, bool):
        page.write_boolean(*place, value)
    elif isinstance(value, int | float) and abs(value) <= LARGEST_WHOLE:
        page.write_number(*place, value)
    elif type(value) in formats:
        page.write_datetime(*place, value, formats[type(value)])
    else:
        page.write_string(*place, str(value)[:LONGEST_TEXT])
