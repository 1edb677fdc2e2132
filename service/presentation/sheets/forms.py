"""Forms of a report by suffix, and what each lets the caller choose."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.presentation.rendering import RENDERERS, Report
from service.presentation.sheets.delimited import PLAIN, Dialect, delimited
from service.presentation.sheets.markup import markup
from service.presentation.sheets.workbook import Sheet, notes_sheet, workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TSV = "text/tab-separated-values"
TEXT_OPTIONS = frozenset({"fields", "sep", "decimal", "header", "bom"})
VERSIONS = ("service_version", "catalog_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """One form of a report.

    options   parameters that change it
    attached  whether a browser should keep it as a file
    """

    media: str
    render: Callable[[Report, Sequence[str], Dialect], str | bytes]
    options: frozenset[str] = frozenset()
    attached: bool = False


def cells(report: Report, columns: Sequence[str]) -> Iterator[list[Any]]:
    """The rows of a report in some columns."""
    return ([row.get(column) for column in columns] for row in report.rows)


def as_csv(report: Report, columns: Sequence[str], dialect: Dialect) -> str:
    """Rows with separators."""
    return delimited(columns, cells(report, columns), dialect)


def as_tsv(report: Report, columns: Sequence[str], dialect: Dialect) -> str:
    """Rows with tabs, unless the caller names another separator."""
    tabbed = replace(dialect, separator="\t") if dialect.separator == PLAIN.separator else dialect
    return as_csv(report, columns, tabbed)


def as_xml(report: Report, columns: Sequence[str], dialect: Dialect) -> str:
    """Rows as elements, the summary before them."""
    versions = {name: str(report.data[name]) for name in VERSIONS}
    found = cells(report, columns)
    return markup(columns, found, report.summary, versions, dialect.decimal)


def as_xlsx(report: Report, columns: Sequence[str], dialect: Dialect) -> bytes:
    """Rows on one sheet, the summary on another."""
    del dialect
    versions = (f"{name}: {report.data[name]}" for name in VERSIONS)
    answer = Sheet(name="answer", columns=columns, rows=cells(report, columns))
    return workbook((answer, notes_sheet((*report.summary, *versions))))


def whole(media: str) -> Form:
    """A form that has no columns to choose."""
    render = RENDERERS[media]

    def all_of(report: Report, columns: Sequence[str], dialect: Dialect) -> str:
        del columns, dialect
        return render(report)

    return Form(media=media, render=all_of)


FORMS: Mapping[str, Form] = {
    "csv": Form(media="text/csv", render=as_csv, options=TEXT_OPTIONS, attached=True),
    "tsv": Form(media=TSV, render=as_tsv, options=TEXT_OPTIONS, attached=True),
    "xml": Form(media="application/xml", render=as_xml, options=frozenset({"fields", "decimal"})),
    "xlsx": Form(media=XLSX, render=as_xlsx, options=frozenset({"fields"}), attached=True),
    "md": whole("text/markdown"),
    "txt": whole("text/plain"),
    "yaml": whole("application/yaml"),
    "json": whole("application/json"),
}
