"""Measurements as cases: a request, what was measured, and what of it may be scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MEASUREMENTS = ROOT / "tests" / "measurements"
ONE_PROJECT = "llm-d-planner"
OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One published measurement."""

    id: str
    group: str
    request: Mapping[str, Any]
    measured: Mapping[str, float | bool]
    scoreable: frozenset[str]
    notes: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of measurements.

    group      the set that a line is reported with: one project's runs must not decide the rest
    scoreable  the keys of a line's `measured` that may be compared
    """

    file: str
    group: Callable[[Mapping[str, Any]], str]
    scoreable: Callable[[Mapping[str, Any]], frozenset[str]]


def serving_group(line: Mapping[str, Any]) -> str:
    """The project whose many runs on one kind of machine are reported apart, or the rest."""
    return ONE_PROJECT if ONE_PROJECT in line["source"] else OTHERS


SOURCES = (
    Source(
        file="inference.jsonl",
        group=serving_group,
        scoreable=lambda line: frozenset(line["scoreable"]),
    ),
)


def cases(folder: Path = MEASUREMENTS) -> Iterator[Case]:
    """Every case of every source."""
    for source in SOURCES:
        with (folder / source.file).open(encoding="utf-8") as lines:
            for text in lines:
                line = json.loads(text)
                yield Case(
                    id=line["id"],
                    group=source.group(line),
                    request=line["request"],
                    measured=line["measured"],
                    scoreable=source.scoreable(line),
                    notes=line["notes"],
                )
