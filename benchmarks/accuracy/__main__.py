"""`python -m benchmarks.accuracy`: score, set the ranges, score again, write what was found."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml
from flask import Flask

from benchmarks.accuracy.cases import ROOT, cases
from benchmarks.accuracy.figures import committed, figures, worse, write
from benchmarks.accuracy.ranges import Range, ranges
from benchmarks.accuracy.replayed import replay_table
from benchmarks.accuracy.report import report
from benchmarks.accuracy.scoring import Scores, scores
from benchmarks.accuracy.shown import write_shown
from service.app import create_app

UNCERTAINTY = ROOT / "config" / "uncertainty.yaml"
REPORT = ROOT / "docs" / "ACCURACY.md"
EXPLANATIONS = Path(__file__).with_name("explanations.yaml")
HEAD = "# Written by `make accuracy` from the residuals of published measurements; never by hand.\n"


def scored(app: Flask) -> Scores:
    """All measurements through the service as it stands."""
    return scores(app.test_client(), app.extensions["catalog_watch"].catalogs, cases())


def write_ranges(found: Mapping[str, Mapping[str, Range]]) -> None:
    """The ranges as the service reads them."""
    plain = {name: {term: dict(row) for term, row in rows.items()} for name, rows in found.items()}
    text = yaml.safe_dump({"engines": plain}, default_flow_style=None, width=160)
    UNCERTAINTY.write_text(HEAD + text, encoding="utf-8")


def explanations() -> Mapping[str, str]:
    """What is known of cases that are far off, by case, or by case and value."""
    found: dict[str, str] = yaml.safe_load(EXPLANATIONS.read_text(encoding="utf-8")) or {}
    return found


def main() -> int:
    """Write page, figures and ranges; say what got worse."""
    write_ranges(ranges(scored(create_app()).residuals))
    app = create_app()
    found = scored(app)
    replays = replay_table(app.test_client())
    REPORT.write_text(report(found, explanations(), replays), encoding="utf-8")
    now = figures(found)
    try:
        lines = worse(committed(), now)
    except FileNotFoundError:
        lines = []
    write(now)
    write_shown(now)
    for line in lines:
        sys.stdout.write(f"worse: {line}\n")
    return 0


sys.exit(main())
