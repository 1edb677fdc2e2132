"""What a command line asked, as a report: the answer, and how the line was read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from service.domain.hardware import Gpu
from service.domain.plan_results import Plan
from service.domain.results import Estimate
from service.presentation.chat.reply import Reply
from service.presentation.estimates import estimate_report
from service.presentation.plan_words import plan_words
from service.presentation.plans import plan_report
from service.presentation.rendering import Report
from service.presentation.sheets.fields import Row
from service.presentation.sheets.plan_fields import PLAN_COLUMNS, PLAN_FIELDS, best_line
from service.presentation.words import money

View = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """How one question was read: in a line, as data, and as a link."""

    text: str
    view: View
    link: str

    @property
    def lines(self) -> tuple[str, str]:
        """The reading and the link, for the end of an answer."""
        return f"Read as: {self.text}.", f"The same question: {self.link}"


def plan_asked(read: Read, plan: Plan, versions: View) -> Report:
    """A plan and its reading."""
    return with_reading("plan", read, plan_report(plan, versions), versions)


def estimate_asked(read: Read, result: Estimate, versions: View) -> Report:
    """An estimate and its reading."""
    return with_reading("estimate", read, estimate_report(result, versions), versions)


def with_reading(command: str, read: Read, found: Report, versions: View) -> Report:
    """A report under the name of its command, and how the line was read."""
    return replace(
        found,
        data={"command": command, "reading": read.view, command: found.data, **versions},
        summary=(*found.summary, *read.lines),
    )


def comparison_asked(
    reply: Reply, sides: Sequence[tuple[str, Read, Plan]], versions: View
) -> Report:
    """Several plans, one row each."""
    cells = [Row(PLAN_FIELDS.reads, best_line(plan)) for _, _, plan in sides]
    rows = [
        {"side": label, **{name: row[name] for name in PLAN_COLUMNS}}
        for (label, _, _), row in zip(sides, cells, strict=True)
    ]
    data = [
        {"label": label, "reading": read.view, "plan": plan_report(plan, versions).data}
        for label, read, plan in sides
    ]
    shown = [dict(zip(reply.table[0], row, strict=True)) for row in reply.table[1:]]
    first = [f"{label}: {plan_words(plan)[0]}" for label, _, plan in sides]
    said = [f"{label}: {line}" for label, read, _ in sides for line in read.lines]
    return Report(
        data={"command": "compare", "sides": data, **versions},
        summary=(reply.title, *first, *said),
        rows=tuple(rows),
        columns=("side", *PLAN_COLUMNS),
        shown=tuple(shown),
    )


def cards_asked(reply: Reply, cards: Sequence[Gpu], versions: View) -> Report:
    """Cards, one row each."""
    rows = tuple(card_row(gpu) for gpu in cards)
    return Report(
        data={"command": "cards", "cards": rows, **versions},
        summary=(reply.title, *reply.facts) if not cards else (reply.title,),
        rows=rows,
        columns=("id", "name", "memory_gb", "hourly_usd"),
    )


def card_row(gpu: Gpu) -> dict[str, Any]:
    """A card of a list."""
    return {
        "id": gpu.id,
        "name": gpu.name,
        "memory_gb": gpu.memory_label_gb,
        "hourly_usd": money(gpu.hourly_usd),
    }


def models_asked(reply: Reply, models: Sequence[tuple[str, int | None]], versions: View) -> Report:
    """Models, one row each."""
    rows = tuple({"id": name, "parameters": count} for name, count in models)
    return Report(
        data={"command": "models", "models": rows, **versions},
        summary=(reply.title, *reply.facts) if not models else (reply.title,),
        rows=rows,
        columns=("id", "parameters"),
    )


def help_asked(reply: Reply, versions: View) -> Report:
    """What can be asked."""
    return Report(
        data={"command": "help", "help": list(reply.facts), **versions},
        summary=(reply.title, *reply.facts),
        rows=tuple({"example": line} for line in reply.facts),
        columns=("example",),
        shown=(),
    )
