"""XLSX as posted: a ZIP archive of XML, opened only behind a guard that needs no trust in it."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from service.api.sheets.grid import MAX_COLUMNS, Grid, grid, is_blank, too_many

MAX_UNPACKED_BYTES = 20_000_000
MAX_PARTS = 500
MAX_SHEET_ROWS = 20_000
MAX_TEXT = 32_767
READ_AT_ONCE = 1 << 16
PARTS = ("[Content_Types].xml", "xl/workbook.xml")
DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
ENCRYPTED = 0x1
BROKEN = (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, ValueError)
UNREADABLE = "the file is not a workbook that can be read; save it as .xlsx or send CSV"


def xlsx_grid(raw: bytes) -> Grid:
    """The first sheet of a workbook.

    Raises: 400 for what is no workbook, 413 beyond the bounds.
    """
    refuse_archive(raw)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return grid(cells(raw))
    except (BadRequest, RequestEntityTooLarge):
        raise
    except Exception as error:
        raise BadRequest(UNREADABLE) from error


def refuse_archive(raw: bytes) -> None:
    """Refuse an archive that would unpack to too much, or whose XML declares entities.

    Raises: 400 and 413.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            refuse_parts(archive)
    except BROKEN as error:
        raise BadRequest(UNREADABLE) from error


def refuse_parts(archive: zipfile.ZipFile) -> None:
    """Judge an archive by what its parts declare, then part by part.

    Raises: 400 and 413.
    """
    parts = archive.infolist()
    if not set(PARTS) <= {part.filename for part in parts}:
        raise BadRequest(UNREADABLE)
    if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > MAX_UNPACKED_BYTES:
        raise RequestEntityTooLarge(
            f"a workbook may unpack to {MAX_UNPACKED_BYTES:,} bytes in {MAX_PARTS} parts"
        )
    for part in parts:
        refuse_part(archive, part)


def refuse_part(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Refuse a part that is encrypted, larger than it declares, or XML with a declaration.

    Raises: 400.
    """
    if part.flag_bits & ENCRYPTED:
        raise BadRequest("the workbook is encrypted; save it without a password")
    tail = b""
    with archive.open(part) as stream:
        while block := stream.read(READ_AT_ONCE):
            seen = tail + block
            if part.filename.endswith((".xml", ".rels")) and is_unsafe(seen):
                raise BadRequest("the workbook's XML declares entities or is not UTF-8")
            tail = block[-max(map(len, DECLARATIONS)) :]


def is_unsafe(text: bytes) -> bool:
    """Whether XML declares a document type, or hides one in UTF-16, which has NUL bytes."""
    return b"\0" in text or any(word in text for word in DECLARATIONS)


def cells(raw: bytes) -> Iterator[tuple[Any, ...]]:
    """Rows of the first sheet; formulas as the values that were saved with them.

    Raises: 413 for a sheet beyond the bounds.
    """
    from openpyxl import load_workbook  # ruff: ignore[import-outside-top-level] - 6 MiB that few requests need

    book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True, keep_links=False)
    sheet = book.worksheets[0]
    sheet.reset_dimensions()  # what a sheet declares of its size may be wrong
    for place, row in enumerate(sheet.iter_rows(max_row=MAX_SHEET_ROWS + 1, values_only=True)):
        if place == MAX_SHEET_ROWS:
            raise RequestEntityTooLarge(
                f"a sheet may have {MAX_SHEET_ROWS:,} rows, empty ones included"
            )
        if not is_blank(row[MAX_COLUMNS:]):
            raise too_many("columns", MAX_COLUMNS)
        yield tuple(map(plain, row[:MAX_COLUMNS]))


def plain(value: Any) -> Any:
    """A cell's value; text of bounded length, numbers that every form can hold."""
    if isinstance(value, str):
        return value[:MAX_TEXT]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
