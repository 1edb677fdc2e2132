"""The ready files by name, each filled in with the planner's address."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from service.presentation.sheets.delimited import cell_text
from service.presentation.sheets.fields import Cell
from service.presentation.sheets.forms import XLSX
from service.presentation.sheets.ready.ods import MEDIA, ods
from service.presentation.sheets.ready.worked import (
    FIRST_ROW,
    Ask,
    Content,
    Formula,
    worked_sheets,
)
from service.presentation.sheets.workbook import MADE, OPTIONS

FOLDER = Path(__file__).parent
NEWER = re.compile(r"\b(WEBSERVICE|ENCODEURL|NUMBERVALUE)\(")
SERVER = "{{SERVER}}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """One file: its media type and how it is made for an address."""

    media: str
    made: Callable[[str, Ask], bytes]


def xlsx(sheets: Mapping[str, list[tuple[Content, ...]]]) -> bytes:
    """An .xlsx file; functions that came after 2007 carry the prefix that Excel wants."""
    from xlsxwriter import Workbook  # ruff: ignore[import-outside-top-level] - 12 MiB that few requests need

    out = io.BytesIO()
    book = Workbook(out, OPTIONS)
    book.set_properties({"created": MADE.replace(tzinfo=None)})
    bold, grey = book.add_format({"bold": True}), book.add_format({"bg_color": "#eeeeee"})
    for name, rows in sheets.items():
        page = book.add_worksheet(name)
        page.set_column(0, 30, 16)
        for number, row in enumerate(rows):
            for column, content in enumerate(row):
                if isinstance(content, Formula):
                    text = "=" + NEWER.sub(r"_xlfn.\1(", content.text)
                    page.write_formula(number, column, text, grey, shown(content.value))
                else:
                    page.write(number, column, content, bold if number == FIRST_ROW - 1 else None)
    book.close()
    return out.getvalue()


def shown(value: Cell) -> str | float:
    """The value that a formula has before it is worked out anew."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return cell_text(value)
    return value


def script(name: str) -> Callable[[str, Ask], bytes]:
    """A text file of this folder."""

    def made(address: str, ask: Ask) -> bytes:
        del ask
        return (FOLDER / name).read_text(encoding="utf-8").replace(SERVER, address).encode()

    return made


READY: Mapping[str, Ready] = {
    "gpu-planner.ods": Ready(
        media=MEDIA, made=lambda address, ask: ods(worked_sheets(address, ask))
    ),
    "gpu-planner.xlsx": Ready(
        media=XLSX, made=lambda address, ask: xlsx(worked_sheets(address, ask))
    ),
    "gpu-planner.gs": Ready(media="text/plain", made=script("gpu-planner.gs")),
    "gpu-planner.pq": Ready(media="text/plain", made=script("gpu-planner.pq")),
}
