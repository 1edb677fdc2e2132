"""What each of many lines is read as, compared whole with the file beside this one.

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
HEAD = ">"


@pytest.fixture(scope="module")
def names(catalogs: Catalogs) -> Names:
    return index(catalogs)


def read(line: str, names: Names) -> list[str]:
    """A line's readings, or what is said against it, as the file holds them."""
    try:
        found = read_line(line, names)
    except Misread as error:
        return [f"  refused: {message}" for message in error.said]
    if not found.readings:
        return [f"  {found.command}: {found.words}".rstrip()]
    return [
        f"  {one.command}: {one.text}{' [shared]' if one.shared else ''}" for one in found.readings
    ]


def read_anew(rows: list[str], names: Names) -> list[str]:
    """The file's headings and lines, each line with its reading of today."""
    anew = []
    for row in rows:
        if row.startswith(HEAD):
            anew += [row, *read(row.removeprefix(HEAD).strip(), names)]
        elif not row.startswith("  "):
            anew.append(row)
    return anew


def test_lines_are_read_as_they_were_approved(names: Names) -> None:
    rows = GOLDEN.read_text(encoding="utf-8").splitlines()
    anew = read_anew(rows, names)
    if os.environ.get("UPDATE_GOLDEN"):
        GOLDEN.write_text("\n".join(anew) + "\n", encoding="utf-8")
    assert anew == rows, "UPDATE_GOLDEN=1 if it is meant"


def test_there_are_300_lines_and_many_are_wrong() -> None:
    rows = GOLDEN.read_text(encoding="utf-8").splitlines()
    lines = [place for place, row in enumerate(rows) if row.startswith(HEAD)]
    assert len(lines) >= 300
    assert sum(rows[place + 1].startswith("  refused: ") for place in lines) >= 50
