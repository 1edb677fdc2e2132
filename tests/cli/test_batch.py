"""Long batches: sent in pieces, put together in order; the worst row decides the exit code."""

import csv
import io
import json
from pathlib import Path

import pytest

from service.cli import batch
from tests.cli.conftest import Run

GOOD = "search,llama-3.2-1b,2,l4-24gb"
WRONG = "chat,no-such-model,2,l4-24gb"
TOO_LARGE = "lab,llama-3.1-405b,2,l4-24gb"
HEADER = "team,model,users,gpu,max_cards"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where rows are put; three of them go at once."""
    monkeypatch.setattr(batch, "PIECE_ROWS", 3)
    return tmp_path / "rows.csv"


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def written(file: Path, *rows: str) -> str:
    file.write_text("\n".join([HEADER, *(f"{row},2" for row in rows)]) + "\n", encoding="utf-8")
    return str(file)


def test_every_row_comes_back_in_order_over_pieces(run: Run, file: Path) -> None:
    given = [GOOD.replace("search", f"t{place}") for place in range(7)]
    code, out, _ = run("batch", written(file, *given))
    found = rows_of(out)
    assert code == 0
    assert [row["team"] for row in found] == [f"t{place}" for place in range(7)]
    assert {row["status"] for row in found} == {"ok"}


@pytest.mark.parametrize(
    ("rows", "worst"), [((GOOD,), 0), ((GOOD, TOO_LARGE), 3), ((TOO_LARGE, GOOD, GOOD, WRONG), 2)]
)
def test_the_worst_row_decides_the_exit_code(
    run: Run, file: Path, rows: tuple[str, ...], worst: int
) -> None:
    assert run("batch", written(file, *rows))[0] == worst
    assert run("batch", written(file, *rows), "--format", "json")[0] == worst


def test_json_counts_the_rows_of_all_pieces(run: Run, file: Path) -> None:
    _, out, _ = run("batch", written(file, *[GOOD] * 4, TOO_LARGE, WRONG), "--format", "json")
    found = json.loads(out)
    assert len(found["rows"]) == 6
    assert found["counts"] == {"ok": 4, "does-not-fit": 1, "error": 1}


def test_a_file_with_semicolons_comes_back_so(run: Run, file: Path) -> None:
    file.write_text("model;users;gpu\nllama-3.2-1b;2;l4-24gb\n", encoding="utf-8")
    _, out, _ = run("batch", str(file))
    assert out.startswith("model;users;gpu;status;")


def test_estimates_are_batched_too_and_written_to_a_file(run: Run, file: Path) -> None:
    target = file.with_name("answers.csv")
    code, out, _ = run("batch", written(file, GOOD), "--of", "estimates", "--output", str(target))
    assert (code, out) == (0, "")
    assert rows_of(target.read_text(encoding="utf-8"))[0]["status"] == "ok"


def test_pieces_go_over_http_alike(run: Run, file: Path, url: str) -> None:
    name = written(file, *[GOOD] * 4, TOO_LARGE)
    assert run("batch", name, "--url", url) == run("batch", name)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "the file is empty"), (b"model\n\xff\n", "not UTF-8"), (b'model\n"a\n', "not CSV")],
)
def test_what_is_no_table_is_bad_input(run: Run, file: Path, content: bytes, said: str) -> None:
    file.write_bytes(content)
    code, out, err = run("batch", str(file))
    assert (code, out) == (2, "")
    assert said in err


def test_a_file_that_is_not_there_is_no_answer(run: Run, file: Path) -> None:
    code, _, err = run("batch", str(file))
    assert code == 1
    assert "No such file" in err
