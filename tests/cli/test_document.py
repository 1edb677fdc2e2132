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


@pytest.mark.parametrize(("words", "printed", "code"), examples())
def test_a_command_prints_what_the_document_says(
    run: Run, words: str, printed: tuple[str, ...], code: int
) -> None:
    ended, out, err = run(*shlex.split(words))
    assert ended == code
    assert first_wrong_line(printed, out + err) is None


def test_the_document_shows_every_command() -> None:
    shown = {words.split()[0] for words, _, _ in examples()}
    assert shown == {"plan", "estimate", "ask", "check"}
