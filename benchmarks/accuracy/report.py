"""docs/ACCURACY.md from the scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.accuracy.cases import ONE_PROJECT, OTHERS
from benchmarks.accuracy.ranges import coverage_of_strangers, term_rows
from benchmarks.accuracy.scoring import TRAINING, Fit, Residual, Scores
from benchmarks.accuracy.statistics import NINE_OF_TEN, grouped, median, quantile, summary
from benchmarks.accuracy.training_ranges import coverage_left_out

FAR = 0.10
FAR_BY_QUANTITY = {"weights_bytes": 0.03, "model_buffer_bytes": 0.03}
ALL = "all engines"
GIB = 2**30
HEADER = "| {first} | values | median | nine of ten within | worst | bias | in low..high |"
RULE = "| --- | ---: | ---: | ---: | --- | ---: | ---: |"
INTRODUCTION = """# Accuracy

Written by `make accuracy`; do not edit. Published measurements of engines' own logs, each asked
over `POST /v1/estimates`. The error is the difference as a share of what was measured; differences
below the rounding of the log (0.005 GiB) count as none. "bias" is the median of the signed errors:
above nothing means that we say more than was measured. The last column says how often low..high
held what was measured, where the value has a range. The many runs of one project ({project}) on one
kind of machine are reported apart from the others.
"""
FIT_HEADER = (
    "| engine | set | runs | ran, said fits | failed, said no | failed, said fits | ran, said no |"
)


def percent(share: float) -> str:
    """A share for a reader."""
    return f"{100 * share:.1f} %"


def table(first: str, groups: Mapping[tuple[str, ...], Sequence[Residual]]) -> list[str]:
    """One line for each group."""
    lines = [HEADER.format(first=first), RULE]
    for key, rows in groups.items():
        found = summary(rows)
        worst = f"{percent(found.worst)} ({found.worst_case})" if found.worst else "0.0 %"
        cells = (
            ", ".join(key),
            str(found.count),
            percent(found.median),
            percent(found.nine_of_ten),
            worst,
            f"{100 * found.bias:+.1f} %",
            "" if found.covered is None else percent(found.covered),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def fit_lines(fits: Sequence[Fit]) -> list[str]:
    """How verdicts compare with what happened."""
    lines = [
        FIT_HEADER,
        "| --- | --- | ---: | ---: | ---: | --- | --- |",
    ]
    keys = sorted({(fit.engine, fit.group) for fit in fits})
    for engine, group in keys:
        own = [fit for fit in fits if (fit.engine, fit.group) == (engine, group)]
        wrong_yes = [fit.case for fit in own if fit.said and not fit.ran]
        wrong_no = [fit.case for fit in own if fit.ran and not fit.said]
        cells = (
            engine,
            group,
            str(len(own)),
            str(sum(fit.said and fit.ran for fit in own)),
            str(sum(not fit.said and not fit.ran for fit in own)),
            ", ".join(wrong_yes) or "none",
            ", ".join(wrong_no) or "none",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def far_lines(rows: Iterable[Residual], explained: Mapping[str, str]) -> list[str]:
    """Every value that is far off, with what is known of the reason."""
    lines = [
        "| case | value | measured | predicted | error | why |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    far = sorted(
        (row for row in rows if abs(row.error) > FAR_BY_QUANTITY.get(row.quantity, FAR)),
        key=lambda row: row.case,
    )
    for row in far:
        why = explained.get(f"{row.case} {row.quantity}", explained.get(row.case, "not explained"))
        cells = (
            row.case,
            row.quantity,
            shown(row.measured, row.quantity),
            shown(row.expected, row.quantity),
            f"{100 * row.error:+.1f} %",
            why,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def shown(value: float, quantity: str) -> str:
    """A value in the unit of its kind."""
    large = quantity.endswith("_bytes") and value > 0.001 * GIB
    return f"{value / GIB:.3f} GiB" if large else f"{value:,.2f}".removesuffix(".00")


def stranger_lines(rows: Sequence[Residual]) -> list[str]:
    """Coverage of ranges in sample and on families that they were not made from."""
    lines = [
        "| engine, term | values | in its own range | in a range made without its family |",
        "| --- | ---: | ---: | ---: |",
    ]
    for key, group in term_rows(rows).items():
        engine, term = key
        trained = engine == TRAINING
        inside, total = coverage_left_out(term, rows) if trained else coverage_of_strangers(group)
        if not total:
            continue
        own = sum(row.covered for row in group) / len(group)
        lines.append(
            f"| {', '.join(key)} | {len(group)} | {percent(own)} | {percent(inside / total)} |"
        )
    return lines


def width_lines(found: Scores) -> list[str]:
    """How wide ranges of totals are in serving, and how often a range held what was measured."""
    lines = [
        "| engine | totals | median width | nine of ten within | values with a range | held |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    served = [row for row in found.residuals if row.engine != TRAINING and row.ranged]
    for engine in (*sorted({one.engine for one in found.widths}), ALL):
        shares = [one.share for one in found.widths if engine in {one.engine, ALL}]
        rows = [row for row in served if engine in {row.engine, ALL}]
        held = percent(sum(row.covered for row in rows) / len(rows)) if rows else ""
        cells = (
            engine,
            str(len(shares)),
            percent(median(shares)),
            percent(quantile(shares, NINE_OF_TEN)),
            str(len(rows)),
            held,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def section(title: str, lines: Sequence[str]) -> list[str]:
    """A heading and its lines."""
    return ["", f"## {title}", "", *lines]


def by(*names: str) -> Callable[[Residual], tuple[str, ...]]:
    """A key of a residual's fields."""
    return lambda row: tuple(str(getattr(row, name)) for name in names)


def report(found: Scores, explained: Mapping[str, str], replays: Sequence[str]) -> str:
    """The whole page; `replays` is the table of simulated peaks."""
    lines = INTRODUCTION.format(project=ONE_PROJECT).splitlines()
    for group in (OTHERS, ONE_PROJECT):
        rows = [row for row in found.residuals if row.group == group]
        groups = grouped(rows, by("engine", "quantity"))
        lines += section(f"By engine and value: {group}", table("engine, value", groups))
    trained = [row for row in found.residuals if row.engine == TRAINING]
    lines += section("Training by reading", table("reading", grouped(trained, by("quantity"))))
    lines += section(
        "Training by publication, framework, method and reading",
        table("publication, reading", grouped(trained, by("group", "quantity"))),
    )
    kinds = grouped(found.residuals, by("engine", "quantity", "kind"))
    lines += section("By kind of architecture, all sets", table("engine, value, kind", kinds))
    lines += section("Replayed peaks of torch's allocator, simulated without a card", replays)
    lines += section('Whether "fits" was right, at risk high', fit_lines(found.fits))
    lines += section("Ranges in serving", width_lines(found))
    lines += section("Ranges on strangers", stranger_lines(found.residuals))
    lines += section(
        "More than a tenth off, weights more than three per cent",
        far_lines(found.residuals, explained),
    )
    refused = [f"- `{row.case}`: {row.reason}" for row in found.refusals] or ["None."]
    lines += section("Not answered", refused)
    return "\n".join(lines) + "\n"
