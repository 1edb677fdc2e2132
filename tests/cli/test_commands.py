"""gpu-planner asks the same service as everybody and tells by its exit code whether it fits."""

import io
import json
import socket
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from service.api.flat import ALIASES, ESTIMATE_PLACES, PLAN_PLACES
from service.cli.options import FORMATS, parameters, parser
from service.presentation.rendering import RENDERERS
from tests.cli.conftest import Run

SMALL = ("llama-3.2-1b", "--gpu", "l4-24gb", "--quantizations", "none")
TOO_LARGE = ("plan", "llama-3.1-405b", "--gpu", "l4-24gb", "--max-cards", "2")


@pytest.mark.parametrize("form", FORMATS)
def test_a_plan_is_printed_in_every_form_as_the_service_gives_it(
    run: Run, client: FlaskClient, form: str
) -> None:
    code, out, _ = run("plan", *SMALL, "--format", form)
    given = client.get(
        "/v1/plans?model=llama-3.2-1b&gpu=l4-24gb&quantizations=none",
        headers={"Accept": FORMATS[form]},
    )
    assert code == 0
    assert out.rstrip() == given.text.rstrip()


def test_there_is_a_form_for_each_that_the_service_has() -> None:
    assert set(FORMATS.values()) == set(RENDERERS)


@pytest.mark.parametrize(
    ("command", "places"), [("plan", PLAN_PLACES), ("estimate", ESTIMATE_PLACES)]
)
def test_every_parameter_is_an_option_under_all_its_names(
    command: str, places: dict[str, object]
) -> None:
    names = [*places, *(short for short, name in ALIASES.items() if name in places)]
    for name in names:
        words = ["1"] if name == "model" else [f"--{name.replace('_', '-')}", "1"]
        given = parser().parse_args([command, *words])
        assert parameters(given) == {ALIASES.get(name, name): "1"}


def test_the_command_of_the_issue_reads_as_the_query(run: Run) -> None:
    words = (
        "plan",
        "llama-3.3-70b",
        "--context",
        "32k",
        "--users",
        "16",
        "--gpu",
        "h100-sxm5-80gb",
    )
    code, out, _ = run(*words, "--format", "json")
    best = json.loads(out)["recommendation"]
    assert code == 0
    assert best["gpu"] == "h100-sxm5-80gb"
    assert "--max-model-len 32768" in best["launch"]["command"]


@pytest.mark.parametrize("form", ["text", "csv", "json"])
def test_nothing_that_fits_is_exit_code_3_in_every_form(run: Run, form: str) -> None:
    assert run(*TOO_LARGE, "--format", form)[0] == 3
    assert run("estimate", "llama-3.3-70b", "--gpu", "l4-24gb", "--format", form)[0] == 3


def test_nothing_to_render_is_exit_code_3_and_says_why(run: Run) -> None:
    code, out, err = run(*TOO_LARGE, "--render", "slurm")
    assert (code, out) == (3, "")
    assert "nothing fits; the nearest is short by" in err


def test_a_memory_without_a_card_neither_fits_nor_fails(run: Run) -> None:
    assert run("estimate", "llama-3.2-1b")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("plan", "llama-3.2-1c"), "did you mean llama-3.2-1b"),
        (("plan", *SMALL, "--context", "many"), "workload/context_tokens: Not a whole number."),
        (("plan", *SMALL, "--contxt", "1"), "unrecognized arguments: --contxt"),
        (("plan", *SMALL, "--render", "nomad"), "invalid choice: 'nomad'"),
        (("plan", *SMALL, "--render", "deepspeed"), "render: the plan is for serving"),
        (("plan", *SMALL, "--body", "x.json"), "give --body or parameters, not both"),
        (("plan",), "model: Missing data"),
        ((), "required: COMMAND"),
    ],
)
def test_bad_input_is_exit_code_2_and_says_what_would_be_right(
    run: Run, words: tuple[str, ...], said: str
) -> None:
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert said in err


def test_a_plan_is_rendered(run: Run) -> None:
    code, out, _ = run("plan", *SMALL, "--render", "slurm")
    assert code == 0
    assert out.startswith("#!/bin/bash\n#SBATCH --job-name=llama-3-2-1b\n")


def test_a_line_in_free_words_is_answered(run: Run) -> None:
    code, out, _ = run("ask", "llama-3.2-1b", "ctx=8k", "on", "l4-24gb")
    assert code == 0
    assert "1 x l4-24gb" in out.splitlines()[0]


def test_a_whole_request_is_read_from_a_file_or_standard_input(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = {"model": "llama-3.2-1b", "workload": {"kind": "inference"}}
    body = json.dumps({**wanted, "placement": {"gpu": "l4-24gb"}}).encode()
    (tmp_path / "request.json").write_bytes(body)
    from_file = run("estimate", "--body", str(tmp_path / "request.json"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(body), encoding="utf-8"))
    assert from_file[0] == 0
    assert run("estimate", "--body", "-") == from_file


def test_a_service_at_an_address_answers_alike(run: Run, url: str) -> None:
    assert run("plan", *SMALL, "--url", url) == run("plan", *SMALL)
    assert run(*TOO_LARGE, "--url", url) == run(*TOO_LARGE)
    assert run("plan", "llama-3.2-1c", "--url", url) == run("plan", "llama-3.2-1c")


def test_no_service_at_an_address_is_exit_code_1(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        code, _, err = run("plan", *SMALL, "--url", f"http://127.0.0.1:{free.getsockname()[1]}")
    assert code == 1
    assert "does not answer" in err


def test_serve_starts_gunicorn_at_the_given_place(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    started: list[list[str]] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.environ", {})
    monkeypatch.setattr("os.execv", lambda _, words: started.append(words))
    monkeypatch.setattr("sys.exit", lambda _: None)
    run("serve", "--port", "8125")
    assert started[0][1:3] == ["-m", "gunicorn"]
    assert started[0][-1] == "service.app:create_app()"
