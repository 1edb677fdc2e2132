"""How sure the page says to be is what was committed, no more."""

from benchmarks.accuracy.figures import committed
from benchmarks.accuracy.shown import PATH, shown
from service.api.build import Catalogs
from service.presentation.page.confidence import confidence


def test_the_service_shows_the_committed_figures() -> None:
    assert PATH.read_text(encoding="utf-8") == shown(committed())


def test_training_is_told_by_framework_and_method(catalogs: Catalogs) -> None:
    found = confidence(catalogs.scores, "training", "transformers, lora", {"transformers", "lora"})
    assert found.like
    assert {row.runs.split(", ")[2] for row in found.rows} == {"lora"}


def test_a_framework_that_nobody_measured_is_told_so(catalogs: Catalogs) -> None:
    found = confidence(catalogs.scores, "training", "llm-foundry, lora", {"llm-foundry", "lora"})
    assert not found.like
    assert found.rows


def test_an_engine_that_nobody_measured_has_no_figures(catalogs: Catalogs) -> None:
    assert confidence(catalogs.scores, "generic", "generic", set()).rows == ()
