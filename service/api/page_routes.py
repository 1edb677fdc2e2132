"""The planner page, its fragments and files, and the API reference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, request
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException, NotFound

from service.api.answers import catalogs, tagged, versions
from service.api.errors import CatalogMoved, answer_of
from service.api.metrics import counted
from service.api.page_build import training_step
from service.api.page_query import page_body
from service.api.page_state import ASK, NotAPlan, State, page_state
from service.api.plan_build import plan_request
from service.api.routes import validated
from service.api.schemas import PLAN
from service.catalog.hub import HubFailure
from service.domain.errors import InvalidRequest, UnknownName
from service.domain.growth import load_grid
from service.domain.planner import plan
from service.domain.requests import PlanRequest, ServingWish
from service.presentation.page.copies import Question
from service.presentation.page.environment import html, static_files, version_of
from service.presentation.page.form import form
from service.presentation.page.grids import growth_table
from service.presentation.page.results import Results, results
from service.presentation.page.trouble import Trouble, trouble

BLUEPRINT = Blueprint("page", __name__)
HTML = "text/html"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FOREVER = "public, max-age=31536000, immutable"
REFUSALS = (
    ValidationError,
    InvalidRequest,
    UnknownName,
    CatalogMoved,
    HubFailure,
    HTTPException,
)
Flat = Mapping[str, str]
MOST_OPTIONS = 5
"""Further options, where the question does not say how many."""


def page_answer(text: str, status: int = 200) -> Response:
    """HTML under the page's own policy."""
    answer = tagged(text, HTML)
    if status != 200:  # ruff: ignore[magic-value-comparison] - a refusal is not kept
        answer.status_code = status
        answer.headers["Cache-Control"] = "no-store"
    answer.headers["Content-Security-Policy"] = POLICY
    answer.headers["Vary"] = "Host"
    return answer


def asked(flat: Flat) -> tuple[PlanRequest, Mapping[str, Any]]:
    """The plan that parameters ask for, and its body."""
    body = page_body(flat)
    return plan_request(catalogs(), validated(PLAN, {"limit": MOST_OPTIONS, **body})), body


def answered(flat: Flat) -> Results:
    """The view of the plan that parameters ask for."""
    wanted, body = asked(flat)
    stock = catalogs().stock
    found = counted(plan(wanted, stock))
    question = Question(
        host=request.host_url.rstrip("/"), flat=flat, body=body, versions=versions()
    )
    moments = training_step(wanted, found, stock)
    return results(found, moments, question, stock, catalogs().scores)


def refused(error: Exception) -> tuple[Trouble, int]:
    """The words and the status of a refusal, those of the API."""
    answer = answer_of(error)
    return trouble(answer.get_json()), answer.status_code


@BLUEPRINT.get("/")
def get_page() -> Response:
    """The page, whole: it needs no script."""
    state, shown, wrong, status = State(), None, None, 200
    try:
        state = page_state(request.args)
        shown = answered(state.flat)
    except REFUSALS as error:
        wrong, status = refused(error)
        state = as_typed(state)
    assumed = {note.field: note.value for note in shown.notes} if shown else {}
    names = {
        "form": form(state, catalogs().stock, assumed),
        "results": shown,
        "trouble": wrong,
        "version_of": version_of,
    }
    return page_answer(html("page.html", **names, **versions()), status)


@BLUEPRINT.errorhandler(NotAPlan)
def elsewhere(other: NotAPlan) -> Response:
    """The way to the words that answer a line."""
    answer = Response(status=303)
    answer.headers["Location"] = f"/v1/ask?{urlencode({'q': other.line})}"
    return answer


def as_typed(state: State) -> State:
    """What stands in the fields when it could not be read."""
    typed = {name: values[-1] for name, values in request.args.lists() if name != ASK}
    return state if state.flat else State(flat=typed, line=request.args.get(ASK, ""))


@BLUEPRINT.get("/page/results")
def get_results() -> Response:
    """The results alone."""
    try:
        shown, wrong, status = answered(page_state(request.args).flat), None, 200
    except REFUSALS as error:
        shown, (wrong, status) = None, refused(error)
    return page_answer(html("results.html", results=shown, trouble=wrong), status)


@BLUEPRINT.get("/page/growth")
def get_growth() -> Response:
    """The table of users and context alone."""
    try:
        table, wrong, status = growth(page_state(request.args).flat), None, 200
    except REFUSALS as error:
        table, (wrong, status) = None, refused(error)
    text = html("growth_page.html", growth=table, trouble=wrong, version_of=version_of)
    return page_answer(text, status)


def growth(flat: Flat) -> Any:
    """Fewest cards around the asked load; None for training."""
    wanted, _ = asked(flat)
    if not isinstance(wanted.workload, ServingWish):
        return None
    grid = load_grid(wanted, wanted.workload, catalogs().stock)
    return growth_table(grid) if grid else None


@BLUEPRINT.get("/page/models")
def get_models() -> Response:
    """Choices of the field of the model."""
    listed = [(entry.id, entry.hub_id) for entry in catalogs().models]
    return page_answer(html("models.html", models=sorted(listed)))


@BLUEPRINT.get("/page/<name>")
def get_file(name: str) -> Response:
    """A file of the page; its address holds its version, so it may be kept."""
    found = static_files().get(name)
    if found is None:
        raise NotFound(f"the page has no file {name[:80]!r}")
    answer = tagged(*found)
    answer.headers["Cache-Control"] = FOREVER
    return answer
