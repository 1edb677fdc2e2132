"""The committed figures as the service shows them to its users: config/accuracy.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from benchmarks.accuracy.cases import ROOT

PATH = ROOT / "config" / "accuracy.yaml"
HEAD = "# Written by `make accuracy` from benchmarks/accuracy/figures.json; never by hand.\n"
SHOWN = ("count", "median", "nine_of_ten", "covered")


def shown(figures: Mapping[str, Any]) -> str:
    """The file's text: a row for every engine, value and set of runs."""
    rows = []
    for key, row in figures["values"].items():
        engine, value, group = key.split(" | ")
        numbers = {name: row[name] for name in SHOWN if row[name] is not None}
        rows.append({"engine": engine, "value": value, "group": group, **numbers})
    text = yaml.safe_dump({"scores": rows}, default_flow_style=None, width=160, sort_keys=False)
    return HEAD + text


def write_shown(figures: Mapping[str, Any]) -> None:
    """Write the file anew."""
    PATH.write_text(shown(figures), encoding="utf-8")
