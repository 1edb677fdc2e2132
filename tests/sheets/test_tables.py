"""Tables by suffix: the same answer as CSV, TSV, XML and XLSX, in the marks of any country."""

import csv
import io
from typing import Any
from xml.etree import ElementTree as ET  # ruff: ignore[suspicious-xml-etree-import] - our own text

import pytest
from flask.testing import FlaskClient
from openpyxl import load_workbook

from service.presentation.sheets.delimited import Dialect, cell_text, delimited
from service.presentation.sheets.forms import FORMS
from service.presentation.sheets.markup import markup
from service.presentation.sheets.workbook import Sheet, workbook

PLAN = "model=llama-3.1-8b&ctx=8k&users=4&gpu=l40s-48gb&limit=2"


def rows_of(text: str, separator: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=separator))


def read_xml(text: str) -> ET.Element:
    return ET.fromstring(text)  # ruff: ignore[suspicious-xml-element-tree-usage] - our own text


def sheet_of(data: bytes, place: int = 0) -> list[tuple[Any, ...]]:
    return list(load_workbook(io.BytesIO(data)).worksheets[place].values)


def test_every_form_has_the_same_rows(client: FlaskClient) -> None:
    fields = ["cards", "gpu", "required_gib", "hourly_usd"]
    tables = [form for form in FORMS if FORMS[form].options]
    query = f"{PLAN}&fields={','.join(fields)}"
    texts = {form: client.get(f"/v1/plans.{form}?{query}") for form in tables}
    rows = [list(row.values()) for row in rows_of(texts["csv"].text)]
    assert [list(row.values()) for row in rows_of(texts["tsv"].text, "\t")] == rows
    found = read_xml(texts["xml"].text).findall("row")
    assert [[one.text for one in row] for row in found] == rows
    header, *typed = sheet_of(texts["xlsx"].data)
    assert list(header) == fields
    assert [[cell_text(cell) for cell in row] for row in typed] == rows


def test_numbers_in_a_workbook_are_numbers(client: FlaskClient) -> None:
    data = client.get(f"/v1/plans.xlsx?{PLAN}&fields=cards,gpu,required_gib,fits").data
    assert [type(cell) for cell in sheet_of(data)[1]] == [int, str, float, bool]


def test_a_workbook_says_what_was_assumed_and_which_data_made_it(client: FlaskClient) -> None:
    answer = client.get(f"/v1/plans.xlsx?{PLAN}")
    notes = [line for (line,) in sheet_of(answer.data, 1)]
    assert any(line.startswith("Assumed: ") for line in notes)
    assert any(line.startswith("catalog_version: ") for line in notes)


def test_the_same_question_gives_the_same_bytes(client: FlaskClient) -> None:
    first, again = (client.get(f"/v1/plans.xlsx?{PLAN}") for _ in range(2))
    assert first.data == again.data
    kept = {"If-None-Match": first.headers["ETag"]}
    assert client.get(f"/v1/plans.xlsx?{PLAN}", headers=kept).status_code == 304


def test_csv_states_its_header_and_a_file_name(client: FlaskClient) -> None:
    answer = client.get(f"/v1/plans.csv?{PLAN}")
    assert answer.content_type == "text/csv; charset=utf-8; header=present"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="plan.csv"'
    bare = client.get(f"/v1/plans.csv?{PLAN}&header=0")
    assert bare.content_type.endswith("header=absent")
    assert bare.text == answer.text.split("\r\n", 1)[1]


def test_a_mark_comes_only_when_asked_for(client: FlaskClient) -> None:
    plain, marked = (client.get(f"/v1/plans.csv?{PLAN}{more}").data for more in ("", "&bom=1"))
    assert marked == b"\xef\xbb\xbf" + plain


def test_semicolons_and_decimal_commas_go_together(client: FlaskClient) -> None:
    plain = rows_of(client.get(f"/v1/plans.csv?{PLAN}").text)
    german = rows_of(client.get(f"/v1/plans.csv?{PLAN}&sep=semicolon&decimal=,").text, ";")
    assert german[0]["required_gib"] == plain[0]["required_gib"].replace(".", ",")
    assert german[0]["price_source"] == plain[0]["price_source"]


@pytest.mark.parametrize(
    ("query", "field"),
    [("form=1", "form"), ("sep=x", "sep"), ("fields=cards,crads", "fields"),
     ("fields=cards,cards", "fields"), ("fields=,", "fields"), ("header=2", "header")],
)  # fmt: skip
def test_a_wrong_parameter_is_named(client: FlaskClient, query: str, field: str) -> None:
    answer = client.get(f"/v1/plans.csv?{PLAN}&{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == f"/{field}"


@pytest.mark.parametrize("form", ["md", "txt", "yaml", "json"])
def test_a_form_refuses_what_it_would_not_heed(client: FlaskClient, form: str) -> None:
    assert client.get(f"/v1/plans.{form}?{PLAN}").status_code == 200
    assert client.get(f"/v1/plans.{form}?{PLAN}&sep=;").status_code == 422


def test_an_unknown_suffix_is_told_the_known_ones(client: FlaskClient) -> None:
    answer = client.get(f"/v1/plans.xls?{PLAN}")
    assert answer.status_code == 404
    assert "xlsx" in answer.json["nearest"]


def test_what_a_purchase_needs_is_in_the_columns(client: FlaskClient) -> None:
    query = "model=llama-3.1-8b&gpu=h100-sxm5-80gb&limit=0"
    (row,) = rows_of(client.get(f"/v1/plans.csv?{query}").text)
    billed, unit = int(row["billed_cards"]), float(row["unit_purchase_usd"])
    assert float(row["purchase_usd"]) == pytest.approx(billed * unit)
    assert int(row["servers"]) * int(row["cards_per_server"]) == billed
    rent = int(row["cards"]) * float(row["unit_hourly_usd"])
    assert float(row["hourly_usd"]) == pytest.approx(rent)
    assert all(row[name] for name in ("monthly_usd", "power_watts", "purchase_price_source"))


def test_an_estimate_has_a_row_a_term(client: FlaskClient) -> None:
    rows = rows_of(client.get("/v1/estimates.csv?model=llama-3.1-8b&gpu=l4-24gb").text)
    terms = client.get("/v1/estimates?model=llama-3.1-8b&gpu=l4-24gb").json["per_card"]["terms"]
    assert [row["term"] for row in rows] == [term["name"] for term in terms]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_text_that_looks_like_a_formula_is_defused(start: str) -> None:
    text = f"{start}cmd|' /C calc'!A0"
    assert cell_text(text) == f"'{text}"
    (row,) = csv.reader(io.StringIO(delimited((text,), (), Dialect()), newline=""))
    assert row == [f"'{text}"]


@pytest.mark.parametrize("text", ["-5", "+1.5", "-1,25", "12%", "h100", "a=b", " =1"])
def test_numerals_and_plain_text_stay_as_they_are(text: str) -> None:
    assert cell_text(text) == text


def test_a_workbook_holds_formulas_and_links_as_text() -> None:
    cells = ("=1+1", "https://example.org", "'5", "12", "x" * 40_000)
    (row,) = sheet_of(workbook([Sheet(name="a", columns=("c",) * 5, rows=(cells,))]))[1:]
    assert row == (*cells[:4], "x" * 32_767)


def test_xml_escapes_and_leaves_out_what_it_cannot_hold() -> None:
    text = markup(("a",), (("<&\"'\x00\x0b",),), notes=("1 < 2",))
    found = read_xml(text)
    assert found.findtext("row/a") == "<&\"'\ufffd\ufffd"
    assert found.findtext("summary") == "1 < 2"
