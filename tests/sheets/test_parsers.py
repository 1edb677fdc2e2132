"""Whatever is posted as a file, the answer is a table or a problem, never a failure."""

import io
import zipfile

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.api.sheets.grid import csv_grid
from service.api.sheets.xlsx import MAX_UNPACKED_BYTES
from tests.sheets.files import XLSX, post, repacked, xlsx_file

QUICK = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SHEET = "xl/worksheets/sheet1.xml"
BOOK = xlsx_file([("model", "gpu"), ("nobody-has-this", "l40s-48gb")])
CELLS = st.text(alphabet=st.sampled_from('ab1=+-@,;\t\r\n" \u00e9\uff1d'), max_size=8)
SPACE = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OPENING = f'<?xml version="1.0"?><worksheet xmlns="{SPACE}">'
FAR_DOWN = "<row r='1'><c r='A1'><v>1</v></c></row><row r='1048576'><c><v>1</v></c></row>"
FAR_RIGHT = "<row r='1'><c r='XFD1'><v>1</v></c></row>"
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.datetimes(),
    st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF), max_size=20),
)  # fmt: skip


@QUICK
@given(data=st.binary(max_size=300))
def test_bytes_as_csv_never_fail(client: FlaskClient, data: bytes) -> None:
    assert post(client, data).status_code in {200, 400}


@QUICK
@given(text=st.text(alphabet=st.sampled_from('a1=+,;\t\r\n" '), max_size=200))
def test_text_as_csv_never_fails_and_keeps_its_rows(client: FlaskClient, text: str) -> None:
    answer = post(client, text, accept="application/json")
    assert answer.status_code in {200, 400}
    if answer.status_code == 200:
        assert len(answer.json["rows"]) == len(csv_grid(text.encode()).rows)


@QUICK
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5))
def test_cells_with_anything_in_them_come_back_as_they_were(
    client: FlaskClient, rows: list[list[str]]
) -> None:
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row[:2]] for row in rows]
    text = "own,other\r\n" + "".join(",".join(row) + "\r\n" for row in quoted)
    wanted = [row[:2] for row in rows if any(cell.strip() for cell in row[:2])]
    found = post(client, text, accept="application/json").json["rows"]
    assert [[row["own"], row["other"]] for row in found] == wanted


@QUICK
@given(place=st.integers(0, len(BOOK) - 1), value=st.integers(0, 255))
def test_a_workbook_with_a_flipped_byte_never_fails(
    client: FlaskClient, place: int, value: int
) -> None:
    broken = BOOK[:place] + bytes([value]) + BOOK[place + 1 :]
    assert post(client, broken, XLSX).status_code in {200, 400, 413}


@QUICK
@given(inner=st.text(alphabet=st.sampled_from('<>/crvt="A1 s9&;is'), max_size=80))
def test_a_sheet_with_broken_xml_never_fails(client: FlaskClient, inner: str) -> None:
    sheet = f"{OPENING}<sheetData>{inner}</sheetData></worksheet>".encode()
    assert post(client, repacked(BOOK, {SHEET: sheet}), XLSX).status_code in {200, 400, 413}


@QUICK
@given(value=VALUES)
def test_a_cell_of_any_type_never_fails(client: FlaskClient, value: object) -> None:
    book = xlsx_file([("model", "users", "own"), ("nobody-has-this", value, value)])
    for accept in (XLSX, "application/json", "text/csv"):
        assert post(client, book, XLSX, accept=accept).status_code == 200


def bomb(size: int) -> bytes:
    """A workbook whose sheet unpacks to so many bytes of spaces."""
    return repacked(BOOK, {SHEET: OPENING.encode() + b" " * size + b"</worksheet>"})


def test_a_bomb_is_refused_by_what_it_declares(client: FlaskClient) -> None:
    data = bomb(100_000_000)
    assert len(data) < 200_000
    answer = post(client, data, XLSX)
    assert answer.status_code == 413
    assert f"{MAX_UNPACKED_BYTES:,} bytes" in answer.json["detail"]


def test_a_bomb_that_lies_about_its_size_is_no_workbook(client: FlaskClient) -> None:
    data = bomb(30_000_000)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        true = archive.getinfo(SHEET).file_size
    lying = data.replace(true.to_bytes(4, "little"), (1000).to_bytes(4, "little"))
    assert lying != data
    assert post(client, lying, XLSX).status_code == 400


@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
def test_entities_are_refused_before_xml_is_read(client: FlaskClient, coding: str) -> None:
    text = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa">]>' + OPENING[21:] + "&a;</worksheet>"
    )
    answer = post(client, repacked(BOOK, {SHEET: text.encode(coding)}), XLSX)
    assert answer.status_code == 400
    assert "declares entities" in answer.json["detail"]


@pytest.mark.parametrize(("rows", "bound"), [(FAR_DOWN, "20,000 rows"), (FAR_RIGHT, "200 columns")])
def test_a_sheet_wider_or_longer_than_the_bounds_is_refused(
    client: FlaskClient, rows: str, bound: str
) -> None:
    data = repacked(BOOK, {SHEET: f"{OPENING}<sheetData>{rows}</sheetData></worksheet>".encode()})
    answer = post(client, data, XLSX)
    assert answer.status_code == 413
    assert bound in answer.json["detail"]


def test_an_archive_of_something_else_is_no_workbook(client: FlaskClient) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("hello.txt", "hello")
    assert post(client, out.getvalue(), XLSX).status_code == 400
