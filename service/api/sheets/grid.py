"""What a posted file holds: a header and rows, whatever the form it came in."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from service.api.body import clean, parsed
from service.presentation.sheets.delimited import PLAIN, Dialect

MAX_BATCH_BYTES = 2_000_000
MAX_ROWS = 5_000
MAX_COLUMNS = 200
QUOTED = re.compile(r'"[^"]*"')
SNIFFED = (",", ";", "\t")
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A header and rows of as many cells.

    faults  what is wrong with single rows, by their place
    bodies  rows that are whole requests instead of cells, by their place
    """

    header: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    dialect: Dialect = PLAIN
    faults: Mapping[int, str] = field(default_factory=dict)
    bodies: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


def too_many(what: str, most: int) -> RequestEntityTooLarge:
    """413 that names the bound."""
    return RequestEntityTooLarge(f"at most {most:,} {what} in a batch; send several batches")


def decoded(raw: bytes) -> str:
    """Text of a file.

    Raises: 400 where it is neither UTF-8 nor what Excel calls Unicode text.
    """
    coding = "utf-16" if raw.startswith(UTF_16_MARKS) else "utf-8-sig"
    try:
        return clean(raw.decode(coding))
    except UnicodeDecodeError as error:
        raise BadRequest("the file is not UTF-8; in Excel save it as CSV UTF-8") from error


def sniffed(text: str) -> str:
    """The separator of the first line that has anything on it, quoted parts left out."""
    line = next((one for one in text.splitlines() if one.strip()), "")
    plain = QUOTED.sub("", line)
    return max(SNIFFED, key=plain.count)


def csv_grid(raw: bytes) -> Grid:
    """CSV or TSV: any line ends, blank lines left out, decimal commas where semicolons separate.

    Raises: 400 for text that is not CSV, 413 beyond the bounds.
    """
    text = decoded(raw)
    separator = sniffed(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        found = grid(lines)
    except csv.Error as error:
        raise BadRequest(f"the file is not CSV: line {lines.line_num}: {error}") from error
    decimal = "," if separator == ";" else "."
    return Grid(
        header=found.header,
        rows=found.rows,
        faults=found.faults,
        dialect=Dialect(separator=separator, decimal=decimal),
    )


def is_blank(cells: Sequence[Any]) -> bool:
    """Whether a row has nothing on it."""
    if tuple(cells).count(None) == len(cells):  # wide empty rows pass by without a loop
        return True
    return all(cell is None or (isinstance(cell, str) and not cell.strip()) for cell in cells)


def grid(lines: Iterable[Sequence[Any]]) -> Grid:
    """The first line with anything on it is the header; the others with anything are rows.

    Raises: 400 for an empty file, 413 beyond the bounds.
    """
    told: Iterator[Sequence[Any]] = (line for line in lines if not is_blank(line))
    header = trimmed(next(told, ()))
    if not header:
        raise BadRequest("the file is empty; its first line names the columns")
    rows, faults = [], {}
    for place, line in enumerate(told):
        if place == MAX_ROWS:
            raise too_many("rows", MAX_ROWS)
        cells = tuple(line[: len(header)])
        rows.append(cells + (None,) * (len(header) - len(cells)))
        if not is_blank(line[len(header) :]):
            faults[place] = f"the row has {len(line)} cells, the header {len(header)}"
    return Grid(header=header, rows=rows, faults=faults)


def trimmed(names: Sequence[Any]) -> tuple[str, ...]:
    """Column names without the empty ones at the end.

    Raises: 413 for too many.
    """
    header = ["" if name is None else str(name).strip() for name in names]
    while header and not header[-1]:
        header.pop()
    if len(header) > MAX_COLUMNS:
        raise too_many("columns", MAX_COLUMNS)
    return tuple(header)


def json_grid(raw: bytes) -> Grid:
    """A JSON list: flat objects, or whole requests, which have a `workload` object.

    Raises: 400 for anything else, 413 beyond the bounds.
    """
    items = parsed(raw)
    if not isinstance(items, list) or not items:
        raise BadRequest("send a list of at least one object, one a row")
    if len(items) > MAX_ROWS:
        raise too_many("rows", MAX_ROWS)
    whole = {place: item for place, item in enumerate(items) if is_request(item)}
    flat = [{} if at in whole or not isinstance(row, dict) else row for at, row in enumerate(items)]
    header = tuple(dict.fromkeys(name for row in flat for name in row))
    if len(header) > MAX_COLUMNS:
        raise too_many("columns", MAX_COLUMNS)
    return Grid(
        header=header,
        rows=[tuple(row.get(name) for name in header) for row in flat],
        faults={at: "not an object" for at, row in enumerate(items) if not isinstance(row, dict)},
        bodies=whole,
    )


def is_request(item: object) -> bool:
    """Whether an item is a body as the JSON endpoint takes it."""
    return isinstance(item, dict) and isinstance(item.get("workload"), dict)
