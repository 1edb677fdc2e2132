"""Published measurements: no figure gets worse than the committed one."""

import pytest
from flask import Flask

from benchmarks.accuracy.cases import cases
from benchmarks.accuracy.figures import committed, figures, worse
from benchmarks.accuracy.ranges import ranges
from benchmarks.accuracy.scoring import Scores, scores


@pytest.fixture(scope="module")
def found(app: Flask) -> Scores:
    return scores(app.test_client(), app.extensions["catalog_watch"].catalogs, cases())


def test_no_figure_is_worse_than_the_committed_one(found: Scores) -> None:
    assert worse(committed(), figures(found)) == []


def test_keys_and_values_of_uniform_models_are_exact(found: Scores) -> None:
    # a pool printed to 0.01 GiB over its tokens is known to about 0.2 %
    alike = [row for row in found.residuals if row.quantity == "kv_bytes_per_token"]
    rows = [row for row in alike if row.engine == "vllm"]
    assert rows
    assert max(abs(row.error) for row in rows) < 0.005


def test_ranges_hold_nothing_on_the_wrong_side(found: Scores) -> None:
    for terms in ranges(found.residuals).values():
        for entry in terms.values():
            assert entry.get("low_share", 0) <= 0 <= entry.get("high_share", 0)
            assert entry.get("low_gib", 0) <= 0 <= entry.get("high_gib", 0)
