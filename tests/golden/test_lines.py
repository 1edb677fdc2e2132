"""What each of many lines is read as, compared with the file beside this one.

`UPDATE_GOLDEN=1` writes the readings anew; read the difference before committing it.
"""

import os
from pathlib import Path

import pytest

from service.api.ask.errors import Misread
from service.api.ask.line import read_line
from service.api.ask.names import Names, index
from service.api.build import Catalogs

GOLDEN = Path(__file__).with_name("lines.txt")
HEAD = "> "


def approved() -> list[tuple[str, str]]:
    """Lines with their readings; what begins with # is a heading."""
    blocks = GOLDEN.read_text(encoding="utf-8").split(f"\n{HEAD}")[1:]
    found = [block.partition("\n") for block in blocks]
    return [(line, without_headings(rest)) for line, _, rest in found]


def without_headings(text: str) -> str:
    return "\n".join(row for row in text.splitlines() if row and not row.startswith("#"))


@pytest.fixture(scope="module")
def names(catalogs: Catalogs) -> Names:
    return index(catalogs)


def read(line: str, names: Names) -> str:
    """A line's reading, or what is said against it, as the file holds it."""
    try:
        found = read_line(line, names)
    except Misread as error:
        return "\n".join(f"  refused: {message}" for message in error.said)
    if not found.readings:
        return f"  {found.command}: {found.words}".rstrip()
    return "\n".join(
        f"  {one.command}: {one.text}{' [shared]' if one.shared else ''}" for one in found.readings
    )


@pytest.mark.parametrize(("line", "expected"), approved(), ids=lambda text: text[:40])
def test_a_line_is_read_as_it_was_approved(line: str, expected: str, names: Names) -> None:
    assert read(line, names) == expected, "UPDATE_GOLDEN=1 if it is meant"


def test_there_are_300_lines_right_and_wrong() -> None:
    wrong = [line for line, expected in approved() if expected.startswith("  refused: ")]
    assert len(approved()) >= 300
    assert len(wrong) >= 50


@pytest.mark.skipif(not os.environ.get("UPDATE_GOLDEN"), reason="writes the file only when asked")
def test_the_file_is_written_anew(names: Names) -> None:
    old = GOLDEN.read_text(encoding="utf-8").splitlines()
    kept = [row for row in old if row.startswith((HEAD, "#")) or row == HEAD.strip()]
    rows = [
        f"{row}\n{read(row.removeprefix(HEAD.strip()).strip(), names)}"
        if row.startswith(HEAD.strip())
        else f"\n{row}"
        for row in kept
    ]
    GOLDEN.write_text("\n".join(rows) + "\n", encoding="utf-8")
