"""`python -m benchmarks.performance [rounds]`: docs/PERFORMANCE.md, every figure of one run."""

from __future__ import annotations

import json
import os
import platform
import sys
from pathlib import Path

from benchmarks.performance.growth import growth
from benchmarks.performance.inside import UNIT, inside, serving_body
from benchmarks.performance.served import Asked, Served, Server, cost, serving
from benchmarks.performance.timing import Times
from service.api.build import Catalogs
from service.app import create_app

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "PERFORMANCE.md"
ROUNDS = 15
GROWTH_ROUNDS = 5
SERVICE = "service.app:create_app()"
PLAN = serving_body("llama-3.1-8b", 1, 8192)
LARGE = serving_body("llama-3.3-70b", 16, 32768)
ONE_CARD = {**LARGE, "choices": {"gpus": ["h100-sxm5-80gb"]}}
ESTIMATE = {**PLAN, "placement": {"gpu": "h100-sxm5-80gb", "cards": 1}}
FLOORS = (
    Asked(name="empty Flask view", application="benchmarks.performance.floors:empty()",
          path="/v1/plans", body=PLAN, requests=400),
    Asked(name="Flask view with the plan's schema",
          application="benchmarks.performance.floors:validated()",
          path="/v1/plans", body=PLAN, requests=400),
)  # fmt: skip
QUESTIONS = (
    Asked(name="estimate", application=SERVICE, path="/v1/estimates", body=ESTIMATE,
          requests=200, tokens=8192),
    Asked(name="plan on one kind of card", application=SERVICE, path="/v1/plans", body=ONE_CARD,
          requests=60, tokens=32768),
    Asked(name="plan over all cards, 8B", application=SERVICE, path="/v1/plans", body=PLAN,
          requests=40, tokens=8192),
    Asked(name="plan over all cards, 70B", application=SERVICE, path="/v1/plans", body=LARGE,
          requests=40, tokens=32768),
    Asked(name="the same plan again, 8B", application=SERVICE, path="/v1/plans", body=PLAN,
          requests=40),
)  # fmt: skip
HEAD = """# Performance

Written by `make bench`; do not edit. One run on {machine}, {cores} cores, Python {python}.
The machine is shared: compare within this page, as ratios. Times are processor time; no two
questions of a task are alike unless it says so. A unit is the loop in the first row.

"""


def time_rows(times: list[Times], unit_ms: float) -> list[str]:
    """Medians, ranges, and how many units of the same run each takes."""
    head = ["| task | median ms | fastest | slowest | units |", "| --- | --- | --- | --- | --- |"]
    return head + [
        f"| {one.name} | {one.middle_ms:.2f} | {one.least_ms:.2f} | {one.most_ms:.2f} | "
        f"{one.middle_ms / unit_ms:.2f} |"
        for one in times
    ]


def served_rows(found: list[Served]) -> list[str]:
    """Cost of each question, against the view with the schema."""
    floor = found[1].cpu_ms
    head = [
        "| question | CPU ms a request | x floor | answer bytes | requests/s, 50 connections |",
        "| --- | --- | --- | --- | --- |",
    ]
    return head + [
        f"| {one.name} | {one.cpu_ms:.2f} | {one.cpu_ms / floor:.2f} | {one.answer_bytes:,} | "
        f"{'-' if one.per_second is None else f'{one.per_second:.0f}'} |"
        for one in found
    ]


def asked_of(questions: tuple[Asked, ...]) -> tuple[list[Served], Server, float]:
    """Questions of one application, the server, and its worker's memory after them."""
    first = questions[0]
    with serving(first.application, first.path, json.dumps(first.body).encode()) as server:
        found = [cost(server, asked) for asked in questions]
        return found, server, server.memory_mib


def page(catalogs: Catalogs, rounds: int) -> str:
    """The whole page."""
    times, grown = inside(catalogs, rounds), growth(catalogs, GROWTH_ROUNDS)
    unit_ms = next(one.middle_ms for one in times if one.name == UNIT)
    floors = [served for floor in FLOORS for served in asked_of((floor,))[0]]
    questions, server, memory_mib = asked_of(QUESTIONS)
    head = HEAD.format(
        machine=platform.machine(), cores=os.cpu_count(), python=platform.python_version()
    )
    parts = [
        "## In process", "", *time_rows(times, unit_ms), "",
        "## Over HTTP", "", "One worker of gunicorn, over one connection.", "",
        *served_rows(floors + questions), "",
        f"Start to first answer {server.start_seconds:.2f} s; after these questions the worker "
        f"holds {memory_mib:.0f} MiB (proportional share).", "",
        "## Growth of a plan over all cards", "", *time_rows(grown, unit_ms), "",
    ]  # fmt: skip
    return head + "\n".join(parts)


def main() -> None:
    """Measure and write the page."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    catalogs: Catalogs = create_app().extensions["catalog_watch"].catalogs
    PAGE.write_text(page(catalogs, rounds), encoding="utf-8")


if __name__ == "__main__":
    main()
