"""Files that tests post, and what comes back."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping
from typing import Any

from flask.testing import FlaskClient
from openpyxl import Workbook, load_workbook
from werkzeug.test import TestResponse

from service.presentation.sheets.forms import XLSX


def post(
    client: FlaskClient,
    data: bytes | str,
    media: str = "text/csv",
    query: str = "",
    path: str = "/v1/plans/batch",
    accept: str | None = None,
) -> TestResponse:
    """A file posted as one media type."""
    headers = {"Accept": accept} if accept else {}
    return client.post(f"{path}{query}", data=data, content_type=media, headers=headers)


def records(text: str, separator: str = ",") -> list[dict[str, str]]:
    """Rows of CSV by column."""
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))


def xlsx_file(rows: Iterable[Iterable[Any]]) -> bytes:
    """A workbook as another program writes it."""
    book = Workbook()
    for row in rows:
        book.active.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xlsx_rows(data: bytes) -> list[tuple[Any, ...]]:
    """Cells of the first sheet."""
    return list(load_workbook(io.BytesIO(data)).worksheets[0].values)


def repacked(data: bytes, parts: Mapping[str, bytes]) -> bytes:
    """An archive with some parts replaced or added."""
    out = io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(data))
    with old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in {**dict.fromkeys(old.namelist()), **parts}:
            new.writestr(name, parts[name] if name in parts else old.read(name))
    return out.getvalue()


__all__ = ["XLSX", "post", "records", "repacked", "xlsx_file", "xlsx_rows"]
