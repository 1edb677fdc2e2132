"""Batches: rows out as they came in, each with its answer or its error."""

import json

import pytest
from flask.testing import FlaskClient

from tests.sheets.files import XLSX, post, records, xlsx_file, xlsx_rows

GOOD = [
    "llama-3.1-8b,8k,4,l40s-48gb,none",
    "llama-3.1-8b,8k,4,l4-24gb,none",
    "llama-3.1-8b,,,a10-24gb,awq-int4",
    "llama-3.1-8b,32k,64,l40s-48gb,fp8",
    "qwen3-8b,16k,1,l40s-48gb,none",
]
BAD = [
    "lama,8k,4,l40s-48gb,none",
    "llama-3.1-8b,8x,4,l40s-48gb,none",
    "llama-3.1-8b,8k,-1,l40s-48gb,none",
    "llama-3.1-8b,8k,4,h10,none",
    ",8k,4,l40s-48gb,none",
]
HEADER = "row,model,ctx,users,gpu,quant"


def test_1000_mixed_rows_come_back_as_1000_rows_in_order(client: FlaskClient) -> None:
    wrong = set(range(7, 1000, 10))
    lines = [f"{at},{(BAD if at in wrong else GOOD)[at // 10 % 5]}" for at in range(1000)]
    rows = records(post(client, "\n".join([HEADER, *lines])).text)
    assert [row["row"] for row in rows] == [str(at) for at in range(1000)]
    assert {at for at, row in enumerate(rows) if row["status"] == "error"} == wrong
    assert all(row["error"] for row in rows if row["status"] == "error")
    assert all(row["cards"] for row in rows if row["status"] == "ok")


def test_a_row_is_answered_as_its_question_alone_is(client: FlaskClient) -> None:
    (row,) = records(post(client, f"{HEADER}\n1,{GOOD[3]}").text)
    query = "model=llama-3.1-8b&ctx=32k&users=64&gpu=l40s-48gb&quant=fp8&limit=0"
    (alone,) = records(client.get(f"/v1/plans.csv?{query}").text)
    same = {name: value for name, value in alone.items() if name in row and name != "gpu"}
    assert len(same) > 20
    assert {name: row[name] for name in same} == same


def test_an_error_stays_in_its_row_and_says_what_is_wrong(client: FlaskClient) -> None:
    found = records(post(client, "\n".join([HEADER, *(f"1,{line}" for line in BAD)])).text)
    assert [row["error_type"] for row in found] == [
        "unknown-model", "invalid-request", "invalid-request", "unknown-gpu", "invalid-request",
    ]  # fmt: skip
    assert [row["error"].split(":")[0] for row in found[1:3]] == ["context_tokens", "concurrency"]


def test_own_columns_are_kept_and_answers_never_take_their_names(client: FlaskClient) -> None:
    text = 'Team,Status,Model,GPU\n"Search; EU",ordered,llama-3.1-8b,l40s-48gb\n'
    answer = post(client, text, query="?fields=cards,gpu").text
    (row,) = records(answer)
    assert list(row)[:4] == ["Team", "Status", "Model", "GPU"]
    assert row["Team"] == "Search; EU"
    assert (row["Status"], row["plan_status"]) == ("ordered", "ok")
    assert (row["GPU"], row["plan_gpu"]) == ("l40s-48gb", "l40s-48gb")


def test_own_text_is_defused_and_own_numbers_are_not(client: FlaskClient) -> None:
    text = '"=1+1",model,gpu,delta\n=2+2,llama-3.1-8b,l40s-48gb,-5\n'
    answer = post(client, text, query="?fields=cards").text
    assert answer.startswith("'=1+1,model,gpu,delta")
    assert "\r\n'=2+2,llama-3.1-8b,l40s-48gb,-5," in answer


def test_headings_may_be_written_as_people_write_them(client: FlaskClient) -> None:
    heading = "MODEL;Context tokens;Concurrent-Users;Card;Min headroom"
    text = f"{heading}\nllama-3.1-8b;8k;4;l40s-48gb;0,01\n"
    answer = post(client, text, query="?fields=cards,required_gib").text
    (row,) = records(answer, ";")
    assert (row["status"], row["cards"]) == ("ok", "1")
    assert row["warnings"] == ""
    assert "," in row["required_gib"]


def test_a_slip_in_a_heading_is_pointed_out_in_every_row(client: FlaskClient) -> None:
    text = "model,gpu,contex_tokens,limit\nllama-3.1-8b,l40s-48gb,8k,3\nlama,l40s-48gb,8k,3\n"
    rows = records(post(client, text).text)
    for row in rows:
        assert "'contex_tokens' is kept as yours; did you mean context_tokens?" in row["warnings"]
        assert "'limit' changes nothing in a batch" in row["warnings"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_marks_and_blank_lines_do_not_matter(
    client: FlaskClient, end: str, mark: str
) -> None:
    lines = ["", "model\tgpu", "", "llama-3.1-8b\tl40s-48gb", " \t ", "x\tl40s-48gb", ""]
    rows = records(post(client, mark + end.join(lines), query="?fields=cards").text, "\t")
    assert [row["status"] for row in rows] == ["ok", "error"]


def test_what_excel_calls_unicode_text_is_read(client: FlaskClient) -> None:
    text = "model\tgpu\tnote\nllama-3.1-8b\tl40s-48gb\tGrüße\n"
    rows = records(post(client, text.encode("utf-16")).text, "\t")
    assert (rows[0]["status"], rows[0]["note"]) == ("ok", "Grüße")


def test_a_row_with_more_cells_than_names_is_an_error_of_its_own(client: FlaskClient) -> None:
    text = "model,gpu\nllama-3.1-8b,l40s-48gb\nllama-3.1-8b,l40s-48gb,surplus\nllama-3.1-8b\n"
    rows = records(post(client, text, query="?fields=cards&").text)
    assert [row["status"] for row in rows] == ["ok", "error", "ok"]
    assert rows[1]["error"] == "the row has 3 cells, the header 2"


def test_json_rows_keep_their_own_values_whatever_they_are(client: FlaskClient) -> None:
    own = {"id": 7, "tags": ["a"], "nested": {"x": None}, "huge": 10**29}
    asked = [{"model": "llama-3.1-8b", "gpu": ["l40s-48gb", "l4-24gb"], "users": 4, **own}, 5]
    body = post(client, json.dumps(asked), "application/json", "?fields=cards,quantization").json
    assert own.items() <= body["rows"][0].items()
    assert body["counts"] == {"ok": 1, "does-not-fit": 0, "error": 1}
    assert body["rows"][1]["error"] == "not an object"


def test_a_whole_request_may_stand_as_a_json_row(client: FlaskClient) -> None:
    whole = {
        "model": "llama-3.1-8b",
        "workload": {"kind": "inference", "concurrency": 4},
        "choices": {"gpus": ["l40s-48gb"]},
    }
    wrong = {**whole, "choises": {}}
    body = post(client, json.dumps([whole, wrong]), "application/json").json
    alone = client.post("/v1/plans", json=whole).json["recommendation"]
    assert body["rows"][0]["hourly_usd"] == alone["hourly_usd"]
    assert body["rows"][1]["error"] == "choises: Unknown field. Did you mean choices?"


def test_a_workbook_comes_back_as_a_workbook_with_typed_cells(client: FlaskClient) -> None:
    heading = ("model", "ctx", "users", "gpu", "note")
    asked = (heading, ("llama-3.1-8b", 8192, 4.0, "l40s-48gb", "text"), ("llama-3.1-8b", "8k"))
    answer = post(client, xlsx_file(asked), XLSX, "?fields=cards,required_gib")
    header, first, second = xlsx_rows(answer.data)
    assert header[:5] == heading
    named = dict(zip(header, first, strict=True))
    assert (named["ctx"], named["note"], named["status"], named["cards"]) == (8192, "text", "ok", 1)
    assert isinstance(named["required_gib"], float)
    assert dict(zip(header, second, strict=True))["status"] == "ok"


def test_accept_turns_one_form_into_another(client: FlaskClient) -> None:
    text = "model,gpu\nllama-3.1-8b,l40s-48gb\n"
    assert post(client, text, accept=XLSX).mimetype == XLSX
    assert post(client, text, accept="application/json").json["rows"][0]["status"] == "ok"
    assert post(client, text, accept="*/*").mimetype == "text/csv"
    assert post(client, text, accept="image/png").status_code == 406


def test_estimates_are_answered_in_rows_too(client: FlaskClient) -> None:
    lines = ("model,ctx,users,gpu", "llama-3.1-8b,8k,4,l40s-48gb", "llama-3.1-8b,8k,999,l40s-48gb")
    text = "\n".join(lines)
    rows = records(post(client, text, path="/v1/estimates/batch").text)
    assert [row["status"] for row in rows] == ["ok", "does-not-fit"]
    assert [row["verdict"] for row in rows] == ["fits", "does-not-fit"]
    assert [float(row["kv_cache_gib"]) for row in rows] == [
        4.0,
        999.0,
    ]  # 1 GiB a user of 8,192 tokens


@pytest.mark.parametrize(
    ("text", "bound"),
    [("a\n" + "1\n" * 5001, "5,000 rows"), (",".join(["a"] * 201), "200 columns"),
     ("a\n" + "1" * 2_000_001, "2,000,000 bytes")],
)  # fmt: skip
def test_413_names_the_bound(client: FlaskClient, text: str, bound: str) -> None:
    answer = post(client, text)
    assert answer.status_code == 413
    assert bound in answer.json["detail"]


@pytest.mark.parametrize(
    ("data", "media", "status"),
    [(b"", "text/csv", 400), (b"\xff\xfe\xfd", "text/csv", 400), (b'a\n"b', "text/csv", 400),
     (b"a\0b", "text/csv", 400), (b"{}", "application/json", 400), (b"[]", "application/json", 400),
     (b"a", "text/plain", 415), (b"PK", XLSX, 400)],
)  # fmt: skip
def test_a_file_that_is_none_is_refused_whole(
    client: FlaskClient, data: bytes, media: str, status: int
) -> None:
    assert post(client, data, media).status_code == status


def test_a_question_in_the_query_string_is_refused(client: FlaskClient) -> None:
    answer = post(client, "model\nllama-3.1-8b\n", query="?gpu=l40s-48gb")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/gpu"
