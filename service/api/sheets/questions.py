"""The two questions that a cell or a row may ask, each with its fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema
from werkzeug.datastructures import MultiDict

from service.api.answers import catalogs, versions
from service.api.build import estimate_request
from service.api.flat import ESTIMATE_PLACES, PLAN_PLACES, Place, question_body
from service.api.metrics import counted
from service.api.plan_build import plan_request
from service.api.routes import validated
from service.api.schemas import ESTIMATE, PLAN
from service.domain.estimate import estimate
from service.domain.plan_results import Plan
from service.domain.planner import plan
from service.domain.results import Caution, Estimate
from service.presentation.estimates import estimate_report
from service.presentation.plans import plan_report
from service.presentation.rendering import Report
from service.presentation.sheets import estimate_fields, plan_fields
from service.presentation.sheets.fields import Cell, Fields

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One kind of question.

    places    where each flat parameter goes
    asked     a validated body's answer
    listed    fields of a report's rows
    single    fields of an answer that is one row, seen through `line`
    columns   those of one row where the caller names none
    brief     what of an answer one row does not show, and need not be worked out
    """

    name: str
    schema: Schema
    places: Mapping[str, Place]
    asked: Callable[[Mapping[str, Any]], Any]
    reported: Callable[[Any, Mapping[str, str]], Report]
    listed: Fields[Any]
    single: Fields[Any]
    line: Callable[[Any], Any]
    fits: Callable[[Any], bool]
    columns: tuple[str, ...]
    brief: Mapping[str, Any] = field(default_factory=dict)

    def row(self, asked: Pairs | Mapping[str, Any]) -> Any:
        """The answer to flat parameters, or to a body as the JSON endpoint takes it, as one row."""
        body = dict(asked) if isinstance(asked, Mapping) else self.body(asked)
        return self.asked({**validated(self.schema, body), **self.brief})

    def body(self, pairs: Pairs) -> dict[str, Any]:
        """The body that flat parameters stand for."""
        return question_body(MultiDict(pairs), self.places)

    def report(self, pairs: Pairs) -> Report:
        """The whole answer to flat parameters."""
        return self.reported(self.asked(validated(self.schema, self.body(pairs))), versions())

    def cells(self, answer: Any, columns: tuple[str, ...]) -> list[Cell]:
        """An answer as one row."""
        subject = self.line(answer)
        return [self.single.reads[name](subject) for name in columns]


def asked_plan(body: Mapping[str, Any]) -> Plan:
    """The smallest combination."""
    return counted(plan(plan_request(catalogs(), body), catalogs().stock))


def asked_estimate(body: Mapping[str, Any]) -> Estimate:
    """Memory of one placement."""
    return estimate(estimate_request(catalogs(), body), catalogs().stock)


def warnings(answer: Plan | Estimate) -> str:
    """What the caller should know, in one cell."""
    found: tuple[Caution, ...] = answer.warnings
    return "; ".join(caution.message for caution in found)


PLANS = Question(
    name="plan",
    schema=PLAN,
    places=PLAN_PLACES,
    asked=asked_plan,
    reported=plan_report,
    listed=plan_fields.PLAN_FIELDS,
    single=plan_fields.PLAN_FIELDS,
    line=plan_fields.best_line,
    fits=lambda answer: answer.recommendation is not None,
    columns=plan_fields.ROW_COLUMNS,
    brief={"limit": 0, "explain": False, "answer_only": True},
)
ESTIMATES = Question(
    name="estimate",
    schema=ESTIMATE,
    places=ESTIMATE_PLACES,
    asked=asked_estimate,
    reported=estimate_report,
    listed=estimate_fields.TERM_FIELDS,
    single=estimate_fields.ESTIMATE_FIELDS,
    line=lambda answer: answer,
    fits=lambda answer: answer.judgement is None or answer.judgement.fits,
    columns=estimate_fields.ROW_COLUMNS,
)
QUESTIONS: Mapping[str, Question] = {one.name: one for one in (PLANS, ESTIMATES)}
