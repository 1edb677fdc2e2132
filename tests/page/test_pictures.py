"""Pictures are drawn to scale, and tables are filled as if every cell had been worked out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.growth import filled
from service.domain.results import Amount, Budget, PerCard, Term
from service.domain.units import GIB
from service.presentation.page.bars import memory_bar, phase_columns
from service.presentation.page.grids import tone
from service.presentation.page.numbers import short, size
from service.presentation.page.vocabulary import in_words

BUDGET = Budget(gpu=None, memory_bytes=100 * GIB, budget_bytes=90 * GIB, policy="of-total")


def term(name: str, gib: int, *, beside: bool = False) -> Term:
    return Term(
        name=name,
        amount=Amount(low=(gib - 1) * GIB, expected=gib * GIB, high=(gib + 2) * GIB),
        formula="",
        values={},
        provenance="exact",
        source="",
        side="beside" if beside else "inside",
    )


def test_parts_are_as_wide_as_their_share_of_the_picture() -> None:
    card = PerCard(terms=(term("weights", 60), term("kv_cache", 20)))
    bar = memory_bar(card, BUDGET)  # 102 GiB wide: the card and a margin of 2 %
    assert [part.width for part in bar.segments] == pytest.approx([58.82, 19.61], abs=0.01)
    assert bar.segments[1].start == pytest.approx(58.82, abs=0.01)
    assert (bar.card, bar.budget) == pytest.approx((98.04, 88.24), abs=0.01)
    assert (bar.low, bar.high) == pytest.approx((76.47, 82.35), abs=0.01)


def test_what_is_held_beside_the_budget_is_drawn_beyond_it() -> None:
    card = PerCard(terms=(term("weights", 60), term("runtime", 2, beside=True)))
    bar = memory_bar(card, BUDGET)
    assert bar.segments[1].start == bar.budget
    assert not bar.over


def test_a_need_beyond_the_card_widens_the_picture() -> None:
    bar = memory_bar(PerCard(terms=(term("weights", 150),)), BUDGET)
    assert bar.over
    assert bar.high < 100
    assert bar.card < bar.low


def test_the_largest_phase_is_marked_as_the_peak() -> None:
    phases = (
        PerCard(terms=(term("weights", 30),), phase="loss"),
        PerCard(terms=(term("weights", 30), term("gradients", 9)), phase="optimizer"),
    )
    drawn = phase_columns(phases, BUDGET)
    assert drawn is not None
    assert [column.peak for column in drawn.columns] == [False, True]
    assert [label for _, label in drawn.tones] == ["Weights", "Gradients"]


@given(
    steps=st.lists(st.integers(0, 3), min_size=2, max_size=7),
    more=st.lists(st.integers(0, 3), min_size=2, max_size=7),
    most=st.integers(1, 20),
)
def test_a_table_that_never_falls_is_filled_right(
    steps: list[int], more: list[int], most: int
) -> None:
    def fewest(row: int, column: int) -> int | None:
        found = 1 + sum(steps[: row + 1]) * (1 + sum(more[: column + 1]))
        return found if found <= most else None

    every = tuple(tuple(fewest(r, c) for c in range(len(more))) for r in range(len(steps)))
    assert filled(len(steps), len(more), fewest) == every


def test_counts_have_a_colour_by_doublings() -> None:
    shown = [tone(cards) for cards in (None, 1, 2, 3, 4, 5, 8, 9, 16, 17)]
    assert shown == ["n0", "n1", "n2", "n3", "n3", "n4", "n4", "n5", "n5", "n6"]


def test_numbers_are_short_and_exact() -> None:
    assert [short(value) for value in (1500, 4096, 131072, 1 << 20)] == ["1500", "4k", "128k", "1M"]
    assert [size(value) for value in (GIB, 150 * GIB)] == ["1.00", "150.0"]


def test_names_of_terms_become_words() -> None:
    assert in_words("the obstacle is kv_cache.") == "the obstacle is KV cache."
