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
    """One published measurement.

    stranger  the publication, where ranges are judged on publications that they were not made from
    """

    id: str
    group: str
    request: Mapping[str, Any]
    measured: Mapping[str, float | bool]
    scoreable: frozenset[str]
    notes: str
    stranger: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of measurements.

    group      the set that a line is reported with: one project's runs must not decide the rest
    scoreable  the keys of a line's `measured` that may be compared
    """

    file: str
    group: Callable[[Mapping[str, Any]], str]
    scoreable: Callable[[Mapping[str, Any]], frozenset[str]]
    stranger: Callable[[Mapping[str, Any]], str] = lambda _: ""
    request: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda line: line["request"]


FRAMEWORKS = {"foundry": "llm-foundry"}
"""Frameworks that a publication is about and its lines do not name."""


def training_request(line: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request with the publication's framework."""
    request: dict[str, Any] = line["request"]
    framework = FRAMEWORKS.get(line["group"])
    if framework is None:
        return request
    return {**request, "workload": {"framework": framework, **request["workload"]}}


def training_group(line: Mapping[str, Any]) -> str:
    """Publication, framework and method."""
    work = training_request(line)["workload"]
    return f"{line['group']}, {work['framework']}, {work['method']}"


def training_values(line: Mapping[str, Any]) -> frozenset[str]:
    """Everything measured of a complete configuration."""
    if not line["scoreable"]:
        return frozenset()
    return frozenset(key for key, value in line["measured"].items() if value is not None)


def serving_group(line: Mapping[str, Any]) -> str:
    """The project whose many runs on one kind of machine are reported apart, or the rest."""
    return ONE_PROJECT if ONE_PROJECT in line["source"] else OTHERS


SOURCES = (
    Source(
        file="inference.jsonl",
        group=serving_group,
        scoreable=lambda line: frozenset(line["scoreable"]),
    ),
    Source(
        file="training.jsonl",
        group=training_group,
        scoreable=training_values,
        stranger=lambda line: str(line["group"]),
        request=training_request,
    ),
)


def cases(folder: Path = MEASUREMENTS) -> Iterator[Case]:
    """Every case of every source."""
    for source in SOURCES:
        with (folder / source.file).open(encoding="utf-8") as lines:
            for text in lines:
                line = json.loads(text)
                if not source.scoreable(line):
                    continue
                yield Case(
                    id=line["id"],
                    group=source.group(line),
                    request=source.request(line),
                    measured=line["measured"],
                    scoreable=source.scoreable(line),
                    notes=line["notes"],
                    stranger=source.stranger(line),
                )
