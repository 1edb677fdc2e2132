"""The ready files hold what the service answers, and their scripts ask as it can be asked."""

import io
import json
import re
import zipfile

import pytest
import quickjs
from flask.testing import FlaskClient
from openpyxl import load_workbook

from service.presentation.sheets.ready.files import READY
from service.presentation.sheets.ready.ods import open_formula

ADDRESS = "http://planner.example:8000"
RANGE = [
    ["team", "model", "ctx", "users", "gpu"],
    ["search", "llama-3.1-8b", "8k", 4, "l40s-48gb"],
    ["", "", "", "", ""],
    ["chat", "lama-3.1-8b", "", "", ""],
]


def fetched(client: FlaskClient, name: str, address: str = ADDRESS) -> bytes:
    answer = client.get(f"/sheets/{name}", base_url=address)
    assert answer.status_code == 200
    return bytes(answer.data)


@pytest.mark.parametrize("name", READY)
def test_a_file_names_the_address_it_came_from(client: FlaskClient, name: str) -> None:
    data = fetched(client, name)
    if name.endswith(("ods", "xlsx")):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = b"".join(archive.read(part) for part in archive.namelist())
    assert ADDRESS.encode() in data
    assert b"{{" not in data


def test_a_host_that_is_no_address_is_not_written_down(client: FlaskClient) -> None:
    answer = client.get("/sheets/gpu-planner.gs", headers={"Host": 'x";evil()//'})
    assert "evil" not in answer.text


def test_an_unknown_file_is_told_the_known_ones(client: FlaskClient) -> None:
    answer = client.get("/sheets/gpu-planner.xls")
    assert answer.status_code == 404
    assert "gpu-planner.xlsx" in answer.json["nearest"]


def test_formulas_of_the_workbook_carry_values_for_readers_that_do_not_calculate(
    client: FlaskClient,
) -> None:
    book = load_workbook(io.BytesIO(fetched(client, "gpu-planner.xlsx")), data_only=True)
    heading, first = list(book["Plan"].values)[3:5]
    cards = client.get("/v1/scalar/cards?model=llama-3.1-8b&ctx=8192&users=16&gpu=l40s-48gb").text
    assert first[heading.index("cards")] == int(cards)
    assert first[heading.index("purchase_usd")] is None  # gpus.yaml has no such price of the L40S


def test_an_ods_begins_with_its_type_uncompressed(client: FlaskClient) -> None:
    data = fetched(client, "gpu-planner.ods")
    assert data[30:].startswith(b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet")


def test_formulas_are_put_into_openformula() -> None:
    assert open_formula('IF($A5="a,B5","",ENCODEURL(B$4))') == (
        'of:=IF([.$A5]="a,B5";"";COM.MICROSOFT.ENCODEURL([.B$4]))'
    )


def script_answer(client: FlaskClient, rows: object, fields: str) -> list[list[object]]:
    """What GPUFIT shows, its one request carried to the service between two runs."""
    code = fetched(client, "gpu-planner.gs").decode()
    stub = """var asked = null; var UrlFetchApp = {fetch: (url, how) => {
      asked = [url, how.payload, how.contentType];
      return {getContentText: () => given, getResponseCode: () => code}; }};"""
    call = f"GPUFIT({json.dumps(rows)}, {json.dumps(fields)})"
    first = quickjs.Context()
    first.eval(f'var given = "{{\\"rows\\": []}}", code = 200; {stub} {code}')
    first.eval(f"try {{ {call} }} catch (error) {{}}")
    url, payload, media = json.loads(first.eval("JSON.stringify(asked)"))
    assert url.startswith(ADDRESS)
    answer = client.post(url.removeprefix(ADDRESS), data=payload, content_type=media)
    second = quickjs.Context()
    second.eval(
        f"var given = {json.dumps(answer.text)}, code = {answer.status_code}; {stub} {code}"
    )
    found: list[list[object]] = json.loads(second.eval(f"JSON.stringify({call})"))
    return found


def test_the_apps_script_answers_a_range_with_one_request(client: FlaskClient) -> None:
    assert script_answer(client, RANGE, "cards, gpu") == [
        ["status", "cards", "gpu"],
        ["ok", 1, "l40s-48gb"],
        ["", "", ""],
        [
            "no model is called 'lama-3.1-8b'; did you mean llama-3.1-8b, llama-3-8b, "
            "llama-3.1-70b, llama-3.1-405b, llama-3.2-3b?",
            "",
            "",
        ],
    ]


def test_the_apps_script_says_what_the_service_refuses(client: FlaskClient) -> None:
    with pytest.raises(quickjs.JSException, match="No field is called 'crads'"):
        script_answer(client, RANGE, "crads")


def test_the_power_query_asks_what_the_service_answers(client: FlaskClient) -> None:
    text = fetched(client, "gpu-planner.pq").decode()
    path = re.search(r'RelativePath = "([^"]+)"', text)
    fields = re.search(r'Query = \[fields = "([^"]+)"\]', text)
    assert path is not None
    assert fields is not None
    rows = [{"model": "llama-3.1-8b", "gpu": "l40s-48gb", "users": 4.0, "ctx": None, "note": "x"}]
    answer = client.post(f"/{path[1]}", json=rows, query_string={"fields": fields[1]})
    (row,) = answer.json["rows"]
    assert (row["note"], row["status"], row["cards"]) == ("x", "ok", 1)
