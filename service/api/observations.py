"""Measured against predicted: a start-up log or readings, with the request that they belong to."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response
from marshmallow import ValidationError, fields, validate, validates_schema

from service.api.answers import catalogs, json_answer
from service.api.build import estimate_request
from service.api.engine_logs import MAX_LOG_CHARACTERS, Reading, reading
from service.api.fields import Number, Strict
from service.api.routes import posted
from service.api.schemas import EstimateSchema
from service.domain.errors import InvalidRequest
from service.domain.estimate import estimate
from service.domain.observations import QUANTITIES, comparison
from service.domain.requests import EstimateRequest, ServingWish
from service.presentation.observations import comparison_view

BLUEPRINT = Blueprint("observations", __name__)
MAX_READING = float(1 << 50)
MeasuredSchema = Strict.from_dict(
    {name: Number(0.0, MAX_READING) for name in QUANTITIES}, name="MeasuredSchema"
)


class ObservationSchema(Strict):
    """A log or readings, and the estimate's body that they belong to."""

    request = fields.Nested(EstimateSchema, required=True)
    log = fields.String(
        validate=validate.Length(
            min=1,
            max=MAX_LOG_CHARACTERS,
            error=f"1 to {MAX_LOG_CHARACTERS} characters; the lines of the start-up are enough.",
        )
    )
    measured = fields.Nested(MeasuredSchema, validate=validate.Length(min=1))
    catalog_version = fields.String(validate=validate.Length(min=1, max=300))

    @validates_schema
    def has_one(self, data: dict[str, Any], **_: Any) -> None:
        """A log or readings."""
        if ("log" in data) == ("measured" in data):
            raise ValidationError("Give log (text) or measured (numbers), one of both.", "log")


OBSERVATION = ObservationSchema()


@BLUEPRINT.post("/v1/observations/compare")
def post_comparison() -> Response:
    """What was measured against what is predicted, term by term."""
    body = posted(OBSERVATION)
    wanted = asked(body["request"])
    read = reading(body["log"]) if "log" in body else None
    if read is not None:
        refuse_other_engine(wanted, read)
    values = read.values if read else body["measured"]
    found = comparison(
        estimate(wanted, catalogs().stock), values, read.rounding_bytes if read else 0
    )
    return json_answer({**comparison_view(found), "log": None if read is None else log_view(read)})


def asked(body: dict[str, Any]) -> EstimateRequest:
    """The request; its refusals name their place in the body.

    Raises: InvalidRequest.
    """
    try:
        return estimate_request(catalogs(), {"risk": "expected", **body})
    except InvalidRequest as refusal:
        raise InvalidRequest(f"request.{refusal.field}", refusal.message) from refusal


def refuse_other_engine(wanted: EstimateRequest, read: Reading) -> None:
    """Refuse a log of another engine than the request's."""
    wish = wanted.workload
    own = wish.engine.id if isinstance(wish, ServingWish) else "no engine"
    if own != read.engine:
        raise InvalidRequest(
            "request.workload.engine", f"the log is of {read.engine}, the request of {own}"
        )


def log_view(read: Reading) -> dict[str, Any]:
    """What was read of a log."""
    return {
        "engine": read.engine,
        "rank": read.rank or None,
        "ranks": read.ranks,
        "rounding_bytes": read.rounding_bytes,
        "lines": list(read.lines),
    }
