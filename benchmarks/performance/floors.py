"""The floors: a Flask view that does nothing, and one that validates a body and does nothing."""

from __future__ import annotations

from flask import Flask, Response, request

from service.api.schemas import PlanSchema


def empty() -> Flask:
    """A view that answers at once."""
    app = Flask("empty")

    @app.post("/v1/plans")
    def answer() -> Response:
        return Response("{}", mimetype="application/json")

    return app


def validated() -> Flask:
    """A view that reads a body through the service's own schema and answers at once."""
    app, schema = Flask("validated"), PlanSchema()

    @app.post("/v1/plans")
    def answer() -> Response:
        schema.load(request.get_json())
        return Response("{}", mimetype="application/json")

    return app
