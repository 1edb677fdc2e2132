"""Tables by suffix and batches, compared whole with the files beside this one.

`UPDATE_GOLDEN=1` writes the files anew; read the difference before committing it.
"""

import json
import os
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.sheets.files import XLSX, post, xlsx_rows

FOLDER = Path(__file__).parent
PLAN = "model=llama-3.1-8b&engine=generic&users=4&ctx=32k&gpu=a10-24gb&quantizations=none,awq-int4"
ROWS = Path(__file__).parents[2] / "docs" / "examples" / "rows.csv"
FIELDS = "?fields=fits,cards,gpu,required_gib,hourly_usd,summary"


def approved(name: str, text: str) -> None:
    golden = FOLDER / name
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_bytes(text.encode())
    assert text == golden.read_bytes().decode(), "UPDATE_GOLDEN=1 if it is meant"


@pytest.mark.parametrize("form", ["tsv", "xml"])
def test_a_table_reads_as_it_was_approved(client: FlaskClient, form: str) -> None:
    text = client.get(f"/v1/plans.{form}?{PLAN}").text
    version = client.get("/readyz").json["catalog_version"]
    approved(f"table.{form}", text.replace(version, "(catalog)"))


def test_a_german_table_reads_as_it_was_approved(client: FlaskClient) -> None:
    query = f"{PLAN}&sep=semicolon&decimal=comma&bom=1"
    approved("table-de.csv", client.get(f"/v1/plans.csv?{query}").data.decode())


def test_a_batch_reads_as_it_was_approved(client: FlaskClient) -> None:
    approved("batch.csv", post(client, ROWS.read_text(encoding="utf-8"), query=FIELDS).text)


def test_the_cells_of_a_workbook_are_as_they_were_approved(client: FlaskClient) -> None:
    answer = post(client, ROWS.read_text(encoding="utf-8"), query=FIELDS, accept=XLSX)
    approved("batch.xlsx.json", json.dumps(xlsx_rows(answer.data), indent=1) + "\n")
