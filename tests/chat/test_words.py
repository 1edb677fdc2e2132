"""No word of a line is dropped: each is in the reading, in a message, or says nothing by rule."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.ask.errors import MOST
from service.api.ask.names import Names, index
from service.api.ask.readers import scanned
from service.api.ask.tokens import tokens
from service.api.ask.words import KEYS, NAMED, NOUNS, PHRASES, SMALL
from service.api.build import Catalogs

NAMES = ["llama-3.3-70b", "gpt2", "h100", "rtx 4090", "mi300x", "fp8", "awq", "vllm", "adamw", "no"]
NUMBERS = ["8", "x8", "8x", "32k", "32768", "70b", "80gb", "$20/h", "10%", "ctx=4k", "tp4", "1,024"]
LINE = st.lists(
    st.sampled_from([*NAMES, *NUMBERS, *sorted(KEYS), *sorted(PHRASES), *sorted(NOUNS)]),
    min_size=1,
    max_size=10,
).map(" ".join)
SILENT = SMALL | {key for key, name in KEYS.items() if name in NAMED}


@pytest.fixture(scope="module")
def names(catalogs: Catalogs) -> Names:
    return index(catalogs)


def test_every_word_is_read_refused_or_known_to_say_nothing(names: Names) -> None:
    @settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @given(LINE)
    def checked(line: str) -> None:
        if len(line) > 500:
            return
        found = scanned(tokens(line), names)
        if len(found.problems) == MOST:
            return
        said = " ".join([*(entry.word for entry in found.entries), *found.problems])
        dropped = [word for word in line.split() if word not in said and word not in SILENT]
        assert dropped == []

    checked()


@pytest.mark.parametrize("word", sorted(set(KEYS) | set(PHRASES) | set(NOUNS)))
def test_every_word_of_the_tables_does_something(word: str, names: Names) -> None:
    alone, before = scanned(tokens(word), names), scanned(tokens(f"8 {word}"), names)
    assert alone.entries or alone.problems or before.entries or word in SILENT


def test_only_the_first_five_unknown_words_cost_a_search_for_names(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched: list[str] = []
    monkeypatch.setattr(Names, "nearest", lambda _, word, __=(): searched.append(word) or ())
    scanned(tokens("zq " * 160), names)
    assert searched == ["zq"] * 5
