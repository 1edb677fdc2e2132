"""A long batch in pieces, so that there is a bar to watch and no bound on its rows."""

from __future__ import annotations

import csv
import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from werkzeug.exceptions import BadRequest

from service.api.sheets.grid import decoded, is_blank, sniffed
from service.cli.client import Answer, Door, Question

PIECE_ROWS = 50
CSV, JSON = "text/csv", "application/json"
PATHS: Mapping[str, str] = {"plans": "/v1/plans/batch", "estimates": "/v1/estimates/batch"}
Row = Sequence[str]


class WrongFile(Exception):
    """A file that is no table."""


class Stopped(Exception):
    """A piece that the service refused whole."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A file's lines, the first of them the names of columns."""

    header: Row
    rows: Sequence[Row]
    separator: str

    def pieces(self) -> Iterator[tuple[int, bytes]]:
        """The rows a few at a time, each time below the header, with their number."""
        for start in range(0, max(1, len(self.rows)), PIECE_ROWS):
            some = self.rows[start : start + PIECE_ROWS]
            yield len(some), self.text([self.header, *some]).encode()

    def text(self, lines: Iterable[Sequence[Any]]) -> str:
        """Lines as the file writes them."""
        out = io.StringIO()
        csv.writer(out, delimiter=self.separator, lineterminator="\r\n").writerows(lines)
        return out.getvalue()

    def lines(self, text: str) -> list[list[str]]:
        """Lines of an answer."""
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=self.separator))


def table(raw: bytes) -> Table:
    """The table of a file, its separator and encoding found as the service finds them.

    Raises: WrongFile.
    """
    try:
        text = decoded(raw)
        separator = sniffed(text)
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header, *rows = (line for line in lines if not is_blank(line))
    except BadRequest as error:
        raise WrongFile(str(error.description)) from error
    except ValueError as error:
        raise WrongFile("the file is empty; its first line names the columns") from error
    except csv.Error as error:
        raise WrongFile(f"the file is not CSV: {error}") from error
    return Table(header=header, rows=rows, separator=separator)


def answers(door: Door, given: Namespace, found: Table) -> Iterator[str]:
    """What the service says to each piece, with a bar on standard error.

    Raises: Stopped for a piece that is refused whole, Unreachable.
    """
    accept = JSON if given.format == "json" else CSV
    with bar(len(found.rows)) as advance:
        for rows, piece in found.pieces():
            answer = door.ask(
                Question(path=PATHS[given.of], parameters={}, accept=accept, body=piece, media=CSV)
            )
            if answer.refused:
                raise Stopped(answer)
            yield answer.text
            advance(rows)


@contextmanager
def bar(rows: int) -> Generator[Callable[[int], object]]:
    """A bar of tqdm where a person watches and tqdm is there; else nothing."""
    try:
        shown: Any = import_module("tqdm").tqdm(total=rows, unit="row", disable=None)
    except ImportError:
        yield lambda _: None
        return
    with shown:
        yield shown.update


def joined_csv(found: Table, texts: Iterable[str]) -> tuple[str, list[str]]:
    """One file of all pieces, and each row's status: the first column after the caller's own."""
    lines: list[list[str]] = []
    for text in texts:
        header, *rows = found.lines(text)
        lines += rows if lines else [header, *rows]
    states = [line[len(found.header)] for line in lines[1:]]
    return found.text(lines), states


def joined_json(found: Table, texts: Iterable[str]) -> tuple[str, list[str]]:
    """One object of all pieces, and each row's status."""
    pieces = [json.loads(text) for text in texts]
    rows = [row for piece in pieces for row in piece["rows"]]
    states = [str(list(row.values())[len(found.header)]) for row in rows]
    counts = {name: sum(one["counts"][name] for one in pieces) for name in pieces[0]["counts"]}
    return json.dumps({**pieces[0], "rows": rows, "counts": counts}) + "\n", states


JOINED: Mapping[str, Callable[[Table, Iterable[str]], tuple[str, list[str]]]] = {
    "csv": joined_csv,
    "json": joined_json,
}


def batch(door: Door, given: Namespace) -> list[str]:
    """Answer a file's rows into a file or to standard output; each row's status.

    Raises: WrongFile, Stopped, Unreachable.
    """
    raw = sys.stdin.buffer.read() if given.file == "-" else Path(given.file).read_bytes()
    found = table(raw)
    text, states = JOINED[given.format](found, answers(door, given, found))
    if given.output:
        Path(given.output).write_text(text, encoding="utf-8", newline="")
    else:
        sys.stdout.write(text)
    return states
