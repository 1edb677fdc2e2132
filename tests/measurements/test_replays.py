"""Replayed allocator peaks: simulated, so reported apart from readings of real cards."""

import statistics

import pytest
from flask.testing import FlaskClient

from benchmarks.accuracy.replayed import SETS, replay_error, replay_lines


@pytest.mark.parametrize("name", SETS)
def test_replayed_peaks_are_met(client: FlaskClient, name: str) -> None:
    errors = [abs(replay_error(client, row)) for row in replay_lines(name)]
    assert statistics.median(errors) <= 0.005
    assert sum(one <= 0.02 for one in errors) >= 0.95 * len(errors)


def test_forty_peaks_were_not_looked_at_before() -> None:
    assert len(replay_lines("fresh")) >= 40
