"""Views for spreadsheets: a cell, a table by suffix, a batch of rows."""

from __future__ import annotations

from flask import Blueprint, Response, request
from marshmallow import ValidationError

from service.api.answers import FITS, tagged
from service.api.errors import KINDS, problem_of
from service.api.sheets.batch import batch
from service.api.sheets.parameters import (
    DECIMALS,
    ON_ERROR,
    UNIT_NAMES,
    choice,
    layout,
    parted,
    refuse_unused,
)
from service.api.sheets.questions import ESTIMATES, PLANS, QUESTIONS, Question
from service.api.sheets.words import LONGEST, reason
from service.catalog.shelf import nearest
from service.domain.errors import UnknownName
from service.presentation.sheets.delimited import cell_text
from service.presentation.sheets.fields import DEFAULT_UNIT
from service.presentation.sheets.forms import FORMS, TEXT_OPTIONS, Form

BLUEPRINT = Blueprint("sheets", __name__)
SCALAR_OPTIONS = frozenset({"of", "unit", "decimal", "on_error"})
KNOWN_ERRORS = tuple(KINDS)


def form_of(suffix: str) -> Form:
    """A form by its suffix.

    Raises: UnknownName with the nearest ones.
    """
    if suffix not in FORMS:
        raise UnknownName("form", suffix[:100], nearest(suffix, FORMS) or tuple(FORMS))
    return FORMS[suffix]


def table(question: Question, suffix: str) -> Response:
    """A report in the form of a suffix."""
    form = form_of(suffix)
    given, rest = parted(request.args, TEXT_OPTIONS)
    refuse_unused(given, form.options, suffix)
    wanted = layout(given, question.listed, question.listed.columns)
    report = question.report(rest)
    content = form.render(report, wanted.columns, wanted.dialect)
    heading = "present" if wanted.dialect.header else "absent"
    answer = tagged(content, form.media, **({"header": heading} if suffix == "csv" else {}))
    if report.fits is not None:
        answer.headers[FITS] = "true" if report.fits else "false"
    placed = "attachment" if form.attached else "inline"
    answer.headers["Content-Disposition"] = f'{placed}; filename="{question.name}.{suffix}"'
    return answer


@BLUEPRINT.get("/v1/plans.<form>")
def plan_table(form: str) -> Response:
    """A plan as a table."""
    return table(PLANS, form)


@BLUEPRINT.get("/v1/estimates.<form>")
def estimate_table(form: str) -> Response:
    """An estimate as a table."""
    return table(ESTIMATES, form)


def sized_field(name: str, unit: str | None, question: Question) -> str:
    """The field of a scalar; a quantity of memory takes its unit from its name or from `unit`.

    Raises: UnknownName with the nearest names; ValidationError for a unit where none belongs.
    """
    fields, plain = question.single, name.strip().lower()
    if fields.aliases.get(plain, plain) in fields.measured:
        return f"{fields.aliases.get(plain, plain)}_{unit or DEFAULT_UNIT}"
    found = fields.named(plain)
    if found is None:
        raise UnknownName("field", name[:100], nearest(plain, dict.fromkeys(fields.names())))
    if unit is not None:
        raise ValidationError({"unit": [f"{found} takes no unit."]})
    return found


def scalar_text(name: str, given: dict[str, str], rest: list[tuple[str, str]]) -> str:
    """One value as text, without a line's end; nothing for what is not known."""
    question = choice(given, "of", QUESTIONS, PLANS)
    decimal = choice(given, "decimal", DECIMALS, ".")
    field = sized_field(name, choice(given, "unit", UNIT_NAMES, None), question)
    result = question.row(rest)
    (value,) = question.cells(result, (field,))
    if value is None and not question.fits(result) and given.get("on_error") == "text":
        (headline,) = question.cells(result, ("summary",))
        return f"#N/A {headline}"[:LONGEST]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return cell_text(value, decimal)


@BLUEPRINT.get("/v1/scalar/<field>")
def scalar(field: str) -> Response:
    """One bare value for one cell."""
    given, rest = parted(request.args, SCALAR_OPTIONS)
    on_error = choice(given, "on_error", ON_ERROR, "status")
    try:
        text = scalar_text(field, given, rest)
    except KNOWN_ERRORS as error:
        if on_error == "status":
            raise
        text = f"#N/A {reason(problem_of(error))}" if on_error == "text" else ""
    return tagged(text, "text/plain")


@BLUEPRINT.post("/v1/plans/batch")
def plan_batch() -> Response:
    """A plan for each row."""
    return batch(PLANS)


@BLUEPRINT.post("/v1/estimates/batch")
def estimate_batch() -> Response:
    """An estimate for each row."""
    return batch(ESTIMATES)
