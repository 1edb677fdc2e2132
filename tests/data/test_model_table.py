"""docs/MODELS.md says what the catalog says."""

from benchmarks.models import TABLE, page


def test_the_table_of_models_is_up_to_date() -> None:
    assert TABLE.read_text(encoding="utf-8") == page(), "run `make docs` and commit docs/MODELS.md"
