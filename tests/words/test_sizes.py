"""Code stays small: a file fits on a few screens, a function's body on one."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "service").rglob("*.py"))
MOST_LINES = 300
MOST_BODY_LINES = 40


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its signature, decorators and docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def long_functions(source: str) -> list[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, kinds)]
    return [one.name for one in found if body_lines(one) > MOST_BODY_LINES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert len(source.splitlines()) <= MOST_LINES
    assert long_functions(source) == []


def test_a_body_of_41_lines_is_long_and_its_docstring_does_not_count() -> None:
    lines = "    pass\n" * 41
    assert long_functions(f"def long():\n{lines}") == ["long"]
    assert long_functions(f'def short():\n    """\n{lines}    """\n    return 1\n') == []
