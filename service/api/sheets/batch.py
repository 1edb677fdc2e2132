"""A batch: a file of rows in, the same rows out with their answers beside them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Request, Response, request
from werkzeug.exceptions import UnsupportedMediaType

from service.api.answers import accepted, tagged, versions
from service.api.sheets.grid import MAX_BATCH_BYTES, Grid, csv_grid, json_grid, too_many
from service.api.sheets.parameters import Layout, layout, parted, refuse_unused
from service.api.sheets.questions import Question
from service.api.sheets.rows import FAILED, MISSED, OK, STATES, answers
from service.api.sheets.xlsx import xlsx_grid
from service.presentation.sheets.delimited import Dialect, delimited
from service.presentation.sheets.forms import TEXT_OPTIONS, TSV, XLSX
from service.presentation.sheets.workbook import Sheet, notes_sheet, workbook

READERS: Mapping[str, Callable[[bytes], Grid]] = {
    "application/json": json_grid,
    "text/csv": csv_grid,
    TSV: csv_grid,
    XLSX: xlsx_grid,
}
OPTIONS: Mapping[str, frozenset[str]] = {
    "application/json": frozenset({"fields"}),
    "text/csv": TEXT_OPTIONS,
    TSV: TEXT_OPTIONS,
    XLSX: frozenset({"fields"}),
}
SUFFIXES: Mapping[str, str] = {
    "application/json": "json",
    "text/csv": "csv",
    TSV: "tsv",
    XLSX: "xlsx",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """The rows with their answers: the caller's columns first, as they came."""

    header: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    counts: Mapping[str, int]


def posted(request: Request) -> Grid:
    """The file of a request.

    Raises: 413 and 415.
    """
    if request.mimetype not in READERS:
        raise UnsupportedMediaType(f"send {', '.join(READERS)}")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without a Content-Encoding")
    if (request.content_length or 0) > MAX_BATCH_BYTES:
        raise too_many("bytes", MAX_BATCH_BYTES)
    raw = request.get_data(cache=False)
    if len(raw) > MAX_BATCH_BYTES:
        raise too_many("bytes", MAX_BATCH_BYTES)
    return READERS[request.mimetype](raw)


def free_name(name: str, question: Question, taken: set[str]) -> str:
    """A column's name, after the question's own where the caller has such a column."""
    while name.lower() in taken:
        name = f"{question.name}_{name}"
    return name


def filled(question: Question, grid: Grid, columns: tuple[str, ...]) -> Filled:
    """Every row with its answer."""
    found = list(answers(question, grid, columns))
    taken = {name.lower() for name in grid.header}
    added = tuple(free_name(name, question, taken) for name in (*STATES, *columns))
    rows = [
        (*own, one.status, one.error_type, one.error, one.warnings, *one.cells)
        for own, one in zip(grid.rows, found, strict=True)
    ]
    return Filled(
        header=(*grid.header, *added), rows=rows, counts=Counter(one.status for one in found)
    )


def distinct(header: tuple[str, ...]) -> tuple[str, ...]:
    """Names that are each there once: a repeated one gets a number."""
    seen: Counter[str] = Counter()
    names = []
    for name in header:
        seen[name] += 1
        names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return tuple(names)


def flat_cells(row: Iterable[Any]) -> list[Any]:
    """Cells of a row; what JSON nests as its text."""
    return [json.dumps(cell) if isinstance(cell, dict | list) else cell for cell in row]


def as_json(done: Filled, dialect: Dialect) -> str:
    """An object a row."""
    del dialect
    names = distinct(done.header)
    rows = [dict(zip(names, row, strict=True)) for row in done.rows]
    counts = {state: done.counts.get(state, 0) for state in (OK, MISSED, FAILED)}
    data = {"rows": rows, "counts": counts, **versions()}
    return json.dumps(data, separators=(",", ":"), default=str)


def as_text(done: Filled, dialect: Dialect) -> str:
    """Cells with separators."""
    return delimited(done.header, map(flat_cells, done.rows), dialect)


def as_xlsx(done: Filled, dialect: Dialect) -> bytes:
    """Typed cells."""
    del dialect
    made = (f"{name}: {value}" for name, value in versions().items())
    rows = map(flat_cells, done.rows)
    return workbook((Sheet(name="answers", columns=done.header, rows=rows), notes_sheet(made)))


WRITERS: Mapping[str, Callable[[Filled, Dialect], str | bytes]] = {
    "application/json": as_json,
    "text/csv": as_text,
    TSV: as_text,
    XLSX: as_xlsx,
}


def wanted(question: Question, grid: Grid, kind: str) -> Layout:
    """Which columns are added and how cells are written.

    Raises: ValidationError for parameters that this form does not heed.
    """
    given, rest = parted(request.args, TEXT_OPTIONS)
    refuse_unused([name for name, _ in rest], (), "of a batch: questions stand in its rows")
    refuse_unused(given, OPTIONS[kind], SUFFIXES[kind])
    base = Dialect(separator="\t") if kind == TSV else grid.dialect
    return layout(given, question.single, question.columns, base)


def batch(question: Question) -> Response:
    """The rows of a request, answered; in the form that they came in unless `Accept` says other."""
    came = request.mimetype
    kind = accepted([came, *(one for one in WRITERS if one != came)]) if came in WRITERS else came
    grid = posted(request)
    how = wanted(question, grid, kind)
    content = WRITERS[kind](filled(question, grid, how.columns), how.dialect)
    heading = "present" if how.dialect.header else "absent"
    answer = tagged(content, kind, **({"header": heading} if kind == "text/csv" else {}))
    name = f"{question.name}s.{SUFFIXES[kind]}"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
