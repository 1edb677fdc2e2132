"""The client: one request, one answer, the same over HTTP and in process."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from werkzeug.test import Client

from service.app import create_app

TIMEOUT_S = 120
JSON = "application/json"
LEAST_ERROR = 400


class Unreachable(Exception):
    """No answer came, or the service failed."""


class Refused(Exception):
    """The service refused a request; `problem` says which field and what would be right."""

    def __init__(self, problem: Mapping[str, Any]) -> None:
        self.problem = problem
        super().__init__(str(problem.get("detail", "refused")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A request: a GET with parameters, or a POST where there is a body."""

    path: str
    parameters: Mapping[str, str]
    accept: str = JSON
    body: bytes | None = None
    media: str = JSON

    @property
    def method(self) -> str:
        """What kind of request it is."""
        return "GET" if self.body is None else "POST"

    @property
    def headers(self) -> dict[str, str]:
        """What is accepted, and what is sent."""
        sent = {} if self.body is None else {"Content-Type": self.media}
        return {"Accept": self.accept, **sent}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back; `fits` is None where that was not asked."""

    status: int
    text: str
    fits: bool | None

    @property
    def refused(self) -> bool:
        """Whether the request was not answered."""
        return self.status >= LEAST_ERROR


class Door(Protocol):
    """A way to the service."""

    def ask(self, question: Question) -> Answer:
        """The answer to a question.

        Raises: Unreachable.
        """
        ...


def answer(status: int, text: str, headers: Mapping[str, str]) -> Answer:
    """An answer from the parts of a response."""
    return Answer(
        status=status, text=text, fits={"true": True, "false": False}.get(headers.get("X-Fits", ""))
    )


class InProcess:
    """The service without a server: the same views, schemas and catalogs."""

    def __init__(self) -> None:
        self._client = Client(create_app())

    def ask(self, question: Question) -> Answer:
        """The answer to a question."""
        found = self._client.open(
            question.path,
            method=question.method,
            query_string=dict(question.parameters),
            headers=question.headers,
            data=question.body,
        )
        return answer(found.status_code, found.text, dict(found.headers))


class OverHttp:
    """A service at an address, by way of requests."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        try:
            self._requests: Any = import_module("requests")
        except ImportError as error:
            raise Unreachable("--url needs requests: install the extra `cli`") from error
        self._session = self._requests.Session()

    def ask(self, question: Question) -> Answer:
        """The answer to a question.

        Raises: Unreachable where none comes.
        """
        try:
            found = self._session.request(
                question.method,
                self._url + question.path,
                params=question.parameters,
                headers=question.headers,
                data=question.body,
                timeout=TIMEOUT_S,
            )
        except (self._requests.RequestException, ValueError) as error:
            raise Unreachable(f"{self._url} does not answer: {error}") from error
        found.encoding = "utf-8"
        return answer(found.status_code, found.text, found.headers)


class Planner:
    """The questions from Python: `Planner().plan(model="llama-3.1-8b", gpu="l4")`.

    Parameters are those of the query string, by their long or short names.
    """

    def __init__(self, url: str | None = None) -> None:
        self._door: Door = OverHttp(url) if url else InProcess()

    def plan(self, **parameters: object) -> dict[str, Any]:
        """The smallest combination that fits; `recommendation` is None where nothing does."""
        return self._data("/v1/plans", parameters)

    def estimate(self, **parameters: object) -> dict[str, Any]:
        """Memory of one placement."""
        return self._data("/v1/estimates", parameters)

    def ask(self, line: str) -> dict[str, Any]:
        """The answer to a line in free order."""
        return self._data("/v1/ask", {"q": line})

    def render(self, system: str, **parameters: object) -> str:
        """A plan as a system's own input."""
        return self._answered("/v1/plans", {**parameters, "render": system}).text

    def _data(self, path: str, parameters: Mapping[str, object]) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._answered(path, parameters).text)
        return found

    def _answered(self, path: str, parameters: Mapping[str, object]) -> Answer:
        given = {name: written(value) for name, value in parameters.items()}
        found = self._door.ask(Question(path=path, parameters=given))
        if found.refused:
            raise Refused(json.loads(found.text))
        return found


def written(value: object) -> str:
    """A value as a query string writes it; lists with commas."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(written, value))
    return str(value)
