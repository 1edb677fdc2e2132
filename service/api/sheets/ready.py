"""Ready files, served with the address that they were fetched from."""

from __future__ import annotations

import re
from collections.abc import Sequence

from flask import Blueprint, Response, request

from service.api.answers import refuse_parameters, tagged
from service.api.sheets.questions import QUESTIONS
from service.catalog.shelf import nearest
from service.domain.errors import UnknownName
from service.presentation.sheets.fields import Cell
from service.presentation.sheets.ready.files import READY

BLUEPRINT = Blueprint("ready", __name__)
ADDRESS = re.compile(r"https?://[A-Za-z0-9._:\[\]/-]{1,250}", re.ASCII)
DEFAULT_ADDRESS = "http://127.0.0.1:8000"


def address() -> str:
    """Where the caller reached this service; a header that is no address is not written down."""
    found = request.url_root.rstrip("/")
    return found if ADDRESS.fullmatch(found) else DEFAULT_ADDRESS


def ask(of: str, pairs: Sequence[tuple[str, str]], field: str) -> Cell:
    """The value of one cell of a worked example."""
    question = QUESTIONS[of]
    (value,) = question.cells(question.row([one for one in pairs if one[1]]), (field,))
    return value


@BLUEPRINT.get("/sheets/<file>")
def ready_file(file: str) -> Response:
    """A ready file."""
    refuse_parameters()
    if file not in READY:
        raise UnknownName("file", file[:100], nearest(file, READY) or tuple(READY))
    content = READY[file].made(address(), ask)
    media = READY[file].media
    answer = tagged(content, media, **({"charset": "utf-8"} if media == "text/plain" else {}))
    answer.headers["Vary"] = "Host"
    answer.headers["Content-Disposition"] = f'attachment; filename="{file}"'
    return answer
