"""docs/CLI.md prints what the command prints."""

import re
import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.words.examples import FENCE, first_wrong_line

DOCUMENT = Path(__file__).parents[2] / "docs" / "CLI.md"
COMMAND = re.compile(r"^\$ gpu-planner (.*)$", re.MULTILINE)


def examples() -> list[tuple[str, tuple[str, ...], int]]:
    """Words, printed lines and exit code of each command; the code where the text says it."""
    found = []
    for block in FENCE.findall(DOCUMENT.read_text(encoding="utf-8")):
        _, *parts = COMMAND.split(block)
        for words, after in zip(parts[::2], parts[1::2], strict=True):
            lines = [line for line in after.splitlines() if line.strip()]
            code = 0
            if lines[-1:] and lines[-1].startswith("exit code "):
                code = int(lines.pop().removeprefix("exit code "))
            found.append((words, tuple(lines), code))
    return found


def rows_file() -> str:
    """The file that the document shows."""
    blocks = FENCE.findall(DOCUMENT.read_text(encoding="utf-8"))
    return next(block for block in blocks if block.startswith("team,model"))


@pytest.mark.parametrize(("words", "printed", "code"), examples())
def test_a_command_prints_what_the_document_says(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: str,
    printed: tuple[str, ...],
    code: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rows.csv").write_text(rows_file(), encoding="utf-8")
    ended, out, err = run(*shlex.split(words))
    assert ended == code
    assert first_wrong_line(printed, out + err) is None


def test_the_document_shows_every_command() -> None:
    shown = {words.split()[0] for words, _, _ in examples()}
    assert shown == {"plan", "estimate", "ask", "batch", "check"}
