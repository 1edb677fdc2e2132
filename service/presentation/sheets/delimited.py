"""CSV and TSV: RFC 4180, in the separators and decimal marks of the caller's country."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
NUMERAL = re.compile(r"[-+]?[0-9]+(?:[.,][0-9]+)*%?", re.ASCII)
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How cells are written as text; the byte order mark is for a double click in Excel."""

    separator: str = ","
    decimal: str = "."
    header: bool = True
    mark: bool = False


PLAIN = Dialect()


def neutral(text: str) -> str:
    """Text that a spreadsheet will not take for a formula (CWE-1236); numerals stay as they are."""
    if text.startswith(FORMULA_STARTS) and not NUMERAL.fullmatch(text):
        return "'" + text
    return text


def cell_text(value: Any, decimal: str = ".") -> str:
    """A cell as text; nothing for what is not known."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float):
        return str(value).replace(".", decimal)
    return neutral(str(value))


def delimited(
    columns: Sequence[str], rows: Iterable[Iterable[Any]], dialect: Dialect = PLAIN
) -> str:
    """Header and rows, each line ended as RFC 4180 wants it."""
    out = io.StringIO()
    out.write(BYTE_ORDER_MARK * dialect.mark)
    writer = csv.writer(out, delimiter=dialect.separator, lineterminator="\r\n")
    if dialect.header:
        writer.writerow(map(cell_text, columns))
    writer.writerows([cell_text(cell, dialect.decimal) for cell in row] for row in rows)
    return out.getvalue()
