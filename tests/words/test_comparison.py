"""The comparison with peers says what the planner says today."""

from benchmarks.comparison.page import PAGE, page


def test_the_comparison_is_what_its_runner_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m benchmarks.comparison"
