"""Rows of a batch answered one by one: an error stays in its row, a question is asked once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from service.api.errors import problem_of
from service.api.flat import ALIASES, number
from service.api.sheets.grid import Grid
from service.api.sheets.parameters import known_names
from service.api.sheets.questions import Question, warnings
from service.api.sheets.words import reason
from service.presentation.sheets.fields import Cell

OK, MISSED, FAILED = "ok", "does-not-fit", "error"
STATES = ("status", "error_type", "error", "warnings")
SPACES = re.compile(r"[\s-]+")
CLOSE = 0.84
HEADINGS: Mapping[str, str] = {
    "card": "gpu", "gpus": "gpu", "context": "context_tokens", "concurrent_users": "concurrency",
    "quantisation": "quantization", "quantisations": "quantizations",
}  # fmt: skip
"""Further names that a column may have in a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What stands in a row beside the caller's own cells."""

    status: str
    cells: tuple[Cell, ...]
    error_type: str | None = None
    error: str | None = None
    warnings: str | None = None


def parameter(heading: str, question: Question) -> str | None:
    """The parameter that a column's name means, in any case, with spaces or dashes."""
    plain = SPACES.sub("_", heading.strip().lower())
    name = HEADINGS.get(plain, plain)
    name = ALIASES.get(name, name)
    return name if name in question.places else None


def hints(header: tuple[str, ...], question: Question) -> tuple[str, ...]:
    """Columns that are kept as the caller's own but look like a parameter, or change nothing."""
    found, names = [], [*known_names(question.places), *HEADINGS]
    for heading in header:
        name = parameter(heading, question)
        plain = SPACES.sub("_", heading.strip().lower())
        if name in question.brief:
            found.append(f"the column {heading!r} changes nothing in a batch")
        elif name is None:
            near = get_close_matches(plain, names, n=1, cutoff=CLOSE)
            if near:
                found.append(f"the column {heading!r} is kept as yours; did you mean {near[0]}?")
    return tuple(found)


def text_of(value: Any, name: str, question: Question, decimal: str) -> str:
    """A cell as a query would say it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ",".join(text_of(one, name, question, decimal) for one in value)
    text = str(value).strip()
    return text.replace(",", ".") if decimal == "," and question.places[name][1] is number else text


def answers(question: Question, grid: Grid, columns: tuple[str, ...]) -> Iterator[Answer]:
    """One answer a row, in the order of the rows."""
    known: dict[object, Answer] = {}
    names = [parameter(heading, question) for heading in grid.header]
    cautions = hints(grid.header, question)
    for place, row in enumerate(grid.rows):
        if place in grid.faults:
            yield failed("malformed-row", grid.faults[place], columns)
            continue
        asked = grid.bodies.get(place) or [
            (name, text)
            for name, cell in zip(names, row, strict=True)
            if name is not None
            and cell is not None
            and (text := text_of(cell, name, question, grid.dialect.decimal))
        ]
        key = tuple(asked) if isinstance(asked, list) else json.dumps(asked, sort_keys=True)
        if key not in known:
            known[key] = answer(question, asked, columns, () if place in grid.bodies else cautions)
        yield known[key]


def answer(
    question: Question, asked: Any, columns: tuple[str, ...], cautions: tuple[str, ...]
) -> Answer:
    """The answer to one row's question, or what is wrong with it."""
    try:
        result = question.row(asked)
        said = (*cautions, *filter(None, (warnings(result),)))
        return Answer(
            status=OK if question.fits(result) else MISSED,
            cells=tuple(question.cells(result, columns)),
            warnings=said_in_one(said),
        )
    except Exception as error:  # ruff: ignore[blind-except] - a row must not take the others with it; the cause is logged
        found = problem_of(error)
        return failed(found.kind, reason(found), columns, cautions)


def failed(kind: str, why: str, columns: tuple[str, ...], cautions: tuple[str, ...] = ()) -> Answer:
    """A row that could not be answered."""
    return Answer(
        status=FAILED,
        error_type=kind,
        error=why,
        warnings=said_in_one(cautions),
        cells=(None,) * len(columns),
    )


def said_in_one(cautions: tuple[str, ...]) -> str | None:
    """Warnings in one cell."""
    return "; ".join(cautions) or None
