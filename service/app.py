"""create_app(): reads the data once and joins the parts."""

from __future__ import annotations

import hashlib
import os
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue

from service.api import (
    catalog_routes,
    docs_routes,
    errors,
    metrics,
    observations,
    page_routes,
    probes,
    routes,
)
from service.api.ask import routes as ask_routes
from service.api.body import MAX_HEADER_BODY_BYTES
from service.api.build import Catalogs
from service.api.chat import routes as chat_routes
from service.api.chat.settings import chat_settings
from service.api.deadline import ALARMS
from service.api.reload import CatalogWatch
from service.api.sheets import ready
from service.api.sheets import routes as sheets
from service.catalog.accuracy import load_scores
from service.catalog.engines import load_engines, load_frameworks
from service.catalog.errors import CatalogError
from service.catalog.files.gguf_config import load_gguf_table
from service.catalog.formats import load_formats
from service.catalog.gpus import load_gpus
from service.catalog.hub import Hub, HubShelf
from service.catalog.hub_client import OfficialClient, client_module
from service.catalog.models import load_models
from service.catalog.physics import load_cost_rules, load_physics
from service.catalog.quantizations import load_quantizations
from service.catalog.tables import load_caches, load_optimizers, load_precisions
from service.domain.requests import Stock

SERVICE_VERSION = "0.1.0"
ROOT = Path(__file__).resolve().parent.parent
DEFAULT_HUB_CACHE = Path("~/.cache/gpu-memory-planner/hub")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}", re.ASCII)
FILES, A_FILE = "/batch", 10
"""Routes that answer a file of questions, and how many times the bound of one answer they have."""
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def catalog_version(paths: list[Path]) -> str:
    """A short hash of all data in use."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def catalog_files(config: Path, gpus_path: Path) -> list[Path]:
    """Every file that the catalogs are read from."""
    return [gpus_path, *sorted(config.rglob("*.yaml"))]


def read_catalogs(config: Path, gpus_path: Path) -> Catalogs:
    """All catalogs.

    Raises: CatalogError naming the file and what is wrong.
    """
    gpus, models = load_gpus(gpus_path), load_models(config / "models")
    precisions = load_precisions(config / "precisions.yaml")
    quantizations = load_quantizations(config)
    caches = load_caches(config / "kv_caches.yaml")
    kernels = frozenset(entry.kernel for entry in quantizations)
    engines = load_engines(
        config / "engines", config / "uncertainty.yaml", kernels, frozenset(caches.entries)
    )
    optimizers = load_optimizers(config / "optimizers.yaml")
    frameworks = load_frameworks(config / "frameworks", config / "uncertainty.yaml")
    return Catalogs(
        gpus=gpus,
        models=models,
        precisions=precisions,
        quantizations=quantizations,
        caches=caches,
        engines=engines,
        optimizers=optimizers,
        frameworks=frameworks,
        stock=Stock(
            gpus=gpus.cards.entries,
            precisions=precisions.entries,
            quantizations=quantizations.entries,
            caches=caches.entries,
            engines=engines.entries,
            optimizers=optimizers.entries,
            frameworks=frameworks.entries,
            physics=load_physics(config / "throughput.yaml"),
            costs=load_cost_rules(config / "costs.yaml"),
        ),
        formats=load_formats(config / "formats.yaml"),
        gguf_table=load_gguf_table(config / "gguf_architectures.yaml"),
        scores=load_scores(config / "accuracy.yaml"),
        version=catalog_version(catalog_files(config, gpus_path)),
    )


def name_request() -> None:
    """Take the caller's request id where it is well-formed, else make one."""
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def answer_head() -> Response | None:
    """HEAD of a known route without validation: spreadsheets probe with it before they GET."""
    if request.method == "HEAD" and request.url_rule is not None:
        return Response(mimetype="application/json")
    return None


def add_headers(answer: Response) -> Response:
    """Headers of every answer."""
    answer.headers["X-Request-Id"] = g.get("request_id", "")
    for name, value in SECURITY_HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer


def hub_of(environment: Mapping[str, str]) -> Hub | None:
    """The Hub where `HUB=on`, with what it finds kept in `HUB_CACHE`.

    Raises: CatalogError for another word than on and off, or where the client is not installed.
    """
    wish = environment.get("HUB", "off")
    if wish not in {"on", "off"}:
        raise CatalogError(f"HUB must be on or off, not {wish!r}")
    if wish == "off":
        return None
    folder = environment.get("HUB_CACHE", str(DEFAULT_HUB_CACHE))
    return Hub(network=OfficialClient(client=client_module()), folder=Path(folder).expanduser())


def with_hub(found: Catalogs, hub: Hub | None) -> Catalogs:
    """The catalogs with the Hub behind their models."""
    if hub is None:
        return found
    shelf = found.models
    models = HubShelf(kind=shelf.kind, entries=shelf.entries, names=shelf.names, hub=hub)
    return replace(found, models=models)


def catalog_watch(hub: Hub | None) -> CatalogWatch:
    """The catalogs of the files in use, which it can read anew."""
    config, gpus_path = ROOT / "config", Path(os.environ.get("GPU_CATALOG", ROOT / "gpus.yaml"))
    return CatalogWatch(
        lambda: catalog_files(config, gpus_path),
        lambda: with_hub(read_catalogs(config, gpus_path), hub),
    )


class Planner(Flask):
    """Flask with a bound on the time of one answer, where there is one."""

    def dispatch_request(self) -> ResponseReturnValue:
        seconds: float | None = self.config["REQUEST_SECONDS"]
        if seconds is None:
            return super().dispatch_request()
        several = request.url_rule is not None and request.url_rule.rule.endswith(FILES)
        with ALARMS.within(seconds * (A_FILE if several else 1)):
            return super().dispatch_request()


def request_seconds(environment: Mapping[str, str]) -> float | None:
    """The longest time of one answer; None where nothing bounds it.

    Raises: CatalogError for anything but a positive number.
    """
    said = environment.get("REQUEST_SECONDS")
    if said is None:
        return None
    if not re.fullmatch(r"\d{1,4}(\.\d{1,3})?", said) or not float(said):
        raise CatalogError(f"REQUEST_SECONDS must be a number of seconds, not {said[:80]!r}")
    return float(said)


def create_app(hub: Hub | None = None) -> Flask:
    """The service; `GPU_CATALOG` names another file of cards, `HUB=on` looks models up.

    Raises: CatalogError where a data file or a setting is wrong.
    """
    app = Planner(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_HEADER_BODY_BYTES
    app.config["REQUEST_SECONDS"] = request_seconds(os.environ)
    app.config["SERVICE_VERSION"] = SERVICE_VERSION
    app.config["OPENAPI_TEXT"] = (ROOT / "openapi.yaml").read_text(encoding="utf-8")
    app.extensions["catalog_watch"] = catalog_watch(hub or hub_of(os.environ))
    app.extensions["chat"] = chat_settings(os.environ)
    app.url_map.strict_slashes = False
    metrics.register(app)
    app.before_request(name_request)
    app.before_request(answer_head)
    app.after_request(add_headers)
    errors.register(app)
    app.register_blueprint(routes.BLUEPRINT)
    app.register_blueprint(probes.BLUEPRINT)
    app.register_blueprint(catalog_routes.BLUEPRINT)
    app.register_blueprint(observations.BLUEPRINT)
    app.register_blueprint(ask_routes.BLUEPRINT)
    app.register_blueprint(chat_routes.BLUEPRINT)
    app.register_blueprint(page_routes.BLUEPRINT)
    app.register_blueprint(docs_routes.BLUEPRINT)
    app.register_blueprint(sheets.BLUEPRINT)
    app.register_blueprint(ready.BLUEPRINT)
    return app
