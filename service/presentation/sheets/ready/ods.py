"""ODS with formulas: the few elements of OpenDocument 1.3 that a sheet needs.

Written here because what writes .ods from Python either needs an XML library in C or has had no
release for years; a test opens the file in LibreOffice.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Mapping

from service.presentation.sheets.delimited import cell_text
from service.presentation.sheets.markup import HEAD, safe
from service.presentation.sheets.ready.worked import FIRST_ROW, Content, Formula

MEDIA = "application/vnd.oasis.opendocument.spreadsheet"
MADE = (2026, 1, 1, 0, 0, 0)
SPACES = {
    "office": "urn:oasis:names:tc:opendocument:xmlns:office:1.0",
    "table": "urn:oasis:names:tc:opendocument:xmlns:table:1.0",
    "text": "urn:oasis:names:tc:opendocument:xmlns:text:1.0",
    "style": "urn:oasis:names:tc:opendocument:xmlns:style:1.0",
    "fo": "urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0",
    "of": "urn:oasis:names:tc:opendocument:xmlns:of:1.2",
}
STYLES = (
    '<office:automatic-styles><style:style style:name="wide" style:family="table-column">'
    '<style:table-column-properties style:column-width="3.2cm"/></style:style>'
    '<style:style style:name="heading" style:family="table-cell">'
    '<style:text-properties fo:font-weight="bold"/></style:style>'
    '<style:style style:name="answer" style:family="table-cell">'
    '<style:table-cell-properties fo:background-color="#eeeeee"/></style:style>'
    "</office:automatic-styles>"
)
MANIFEST = (
    '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" '
    f'manifest:version="1.3"><manifest:file-entry manifest:full-path="/" '
    f'manifest:media-type="{MEDIA}"/><manifest:file-entry manifest:full-path="content.xml" '
    'manifest:media-type="text/xml"/></manifest:manifest>'
)
PIECE = re.compile(r'"[^"]*"|\$?[A-Z]{1,3}\$?\d+|WEBSERVICE|ENCODEURL|,')
SPOKEN = {
    "WEBSERVICE": "COM.MICROSOFT.WEBSERVICE",
    "ENCODEURL": "COM.MICROSOFT.ENCODEURL",
    ",": ";",
}


def open_formula(text: str) -> str:
    """A formula of A1 notation in OpenFormula: semicolons, references in brackets, full names."""

    def spoken(found: re.Match[str]) -> str:
        piece = found.group()
        if piece.startswith('"'):
            return piece
        return SPOKEN.get(piece) or f"[.{piece}]"

    return "of:=" + PIECE.sub(spoken, text)


def cell(content: Content, style: str) -> str:
    """One cell with its value as it is now."""
    formula, value = "", content
    if isinstance(content, Formula):
        formula = f' table:formula="{safe(open_formula(content.text))}"'
        value, style = content.value, "answer"
    kind = "" if value is None and not formula else ' office:value-type="string"'
    if isinstance(value, int | float) and not isinstance(value, bool):
        kind = f' office:value-type="float" office:value="{value}"'
    shown = f"<text:p>{safe(cell_text(value))}</text:p>" if kind else ""
    return f'<table:table-cell table:style-name="{style}"{formula}{kind}>{shown}</table:table-cell>'


def sheet(name: str, rows: Iterable[tuple[Content, ...]]) -> Iterator[str]:
    """One table of the document."""
    yield f'<table:table table:name="{safe(name)}">'
    yield '<table:table-column table:style-name="wide" table:number-columns-repeated="30"/>'
    for number, row in enumerate(rows, start=1):
        style = "heading" if number == FIRST_ROW else "Default"
        cells = "".join(cell(content, style) for content in row) or "<table:table-cell/>"
        yield f"<table:table-row>{cells}</table:table-row>"
    yield "</table:table>"


def document(sheets: Mapping[str, Iterable[tuple[Content, ...]]]) -> str:
    """The content of the file."""
    spaces = "".join(f' xmlns:{name}="{uri}"' for name, uri in SPACES.items())
    tables = "\n".join(line for name, rows in sheets.items() for line in sheet(name, rows))
    body = f"<office:body><office:spreadsheet>\n{tables}\n</office:spreadsheet></office:body>"
    opened = f'<office:document-content{spaces} office:version="1.3">'
    return f"{HEAD}{opened}{STYLES}{body}</office:document-content>"


def ods(sheets: Mapping[str, Iterable[tuple[Content, ...]]]) -> bytes:
    """An .ods file; its first part says what it is, without compression, as the standard wants."""
    out = io.BytesIO()
    parts = {"mimetype": MEDIA, "content.xml": document(sheets), "META-INF/manifest.xml": MANIFEST}
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in parts.items():
            packing = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(zipfile.ZipInfo(name, MADE), text, packing)
    return out.getvalue()
