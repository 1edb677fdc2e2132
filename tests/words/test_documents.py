"""Documents say what the service does: their commands are run and their output is compared."""

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.words.examples import Example, examples, first_wrong_line

ROOT = Path(__file__).parents[2]
README = examples(ROOT / "README.md")
ALL = [
    *README,
    *(found for path in sorted((ROOT / "docs").glob("*.md")) for found in examples(path)),
]


@pytest.mark.parametrize("example", ALL, ids=lambda example: example.place)
def test_an_example_prints_what_the_document_says(client: FlaskClient, example: Example) -> None:
    assert first_wrong_line(example.printed, example.answer(client)) is None


def test_the_readme_asks_for_serving_and_training_and_works_five_cases() -> None:
    asked = [one.url.split("/v1/")[1].split("?")[0] for one in README]
    assert asked == ["plans", "estimates", *["plans"] * 5]
    assert all(len(one.printed) > 5 for one in README)


@pytest.mark.parametrize(
    ("printed", "wrong"),
    [
        (("a", "b", "c"), None),
        (("a", "…", "c"), None),
        (("a", "…"), None),
        (("a", "b"), "the answer goes on: c"),
        (("a", "c"), "c"),
        (("…", "d"), "d"),
    ],
)
def test_only_what_is_marked_may_be_left_out(printed: tuple[str, ...], wrong: str | None) -> None:
    assert first_wrong_line(printed, "a\n\nb\nc\n") == wrong
