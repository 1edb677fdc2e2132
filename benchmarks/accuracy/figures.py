"""The figures that are committed, and whether new ones are worse."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.accuracy.scoring import Fit, Residual, Scores
from benchmarks.accuracy.statistics import grouped, median, summary

PATH = Path(__file__).with_name("figures.json")
SLACK = 0.0005
"""Changes below a twentieth of a per cent are not called worse."""

WORSE_HIGHER = ("median", "nine_of_ten")


def figures(found: Scores) -> dict[str, Any]:
    """Everything that is compared with the last commit."""
    groups = grouped(found.residuals, lambda row: (row.engine, row.quantity, row.group))
    return {
        "values": {" | ".join(key): row_figures(rows) for key, rows in groups.items()},
        "fits": {
            engine: fit_figures([fit for fit in found.fits if fit.engine == engine])
            for engine in sorted({fit.engine for fit in found.fits})
        },
        "widths": {
            engine: round(median([one.share for one in found.widths if one.engine == engine]), 5)
            for engine in sorted({one.engine for one in found.widths})
        },
        "not_answered": {refusal.case: refusal.reason for refusal in found.refusals},
    }


def row_figures(rows: Sequence[Residual]) -> dict[str, Any]:
    """Figures of one group of residuals."""
    found = summary(rows)
    return {
        "count": found.count,
        "median": round(found.median, 5),
        "nine_of_ten": round(found.nine_of_ten, 5),
        "worst": round(found.worst, 5),
        "worst_case": found.worst_case,
        "bias": round(found.bias, 5),
        "covered": None if found.covered is None else round(found.covered, 4),
    }


def fit_figures(fits: Sequence[Fit]) -> dict[str, Any]:
    """How often a verdict was right, and the cases where it was not."""
    return {
        "count": len(fits),
        "said_fits_but_failed": sorted(f.case for f in fits if f.said and not f.ran),
        "said_no_but_ran": sorted(f.case for f in fits if f.ran and not f.said),
    }


def worse(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What got worse since the committed figures, in words."""
    found = []
    for key, old in before["values"].items():
        new = now["values"].get(key)
        if new is None or new["count"] < old["count"]:
            found.append(f"{key}: fewer values are answered")
            continue
        if new["count"] == old["count"]:
            found += [
                f"{key}: {name} rose from {old[name]} to {new[name]}"
                for name in WORSE_HIGHER
                if new[name] > old[name] + SLACK
            ]
    for engine, old in before["fits"].items():
        new_fits = now["fits"].get(engine, old)
        found += newly(old, new_fits, "said_fits_but_failed", engine)
        found += newly(old, new_fits, "said_no_but_ran", engine)
    for engine, width in before.get("widths", {}).items():
        if now["widths"].get(engine, 0) > width + SLACK:
            found.append(f"{engine}: the median width of totals rose from {width}")
    lost = set(now["not_answered"]) - set(before["not_answered"])
    return found + [f"{case} is not answered any more" for case in sorted(lost)]


def newly(before: Mapping[str, Any], now: Mapping[str, Any], key: str, engine: str) -> list[str]:
    """Cases that were judged rightly before and are not now, where the same cases are judged."""
    if now["count"] != before["count"]:
        return []
    return [f"{engine}: {case} {key}" for case in now[key] if case not in before[key]]


def committed(path: Path = PATH) -> dict[str, Any]:
    """The figures of the last commit."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(found: Mapping[str, Any], path: Path = PATH) -> None:
    """Commit new figures."""
    path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
