"""Answers given before: the same question on the same data has the same answer, byte for byte."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import NamedTuple

from flask import Blueprint, Response, current_app, g, request

from service.api.answers import catalogs
from service.catalog.hub import HubShelf

MOST_BYTES = 16 * 1024 * 1024
"""Of all answers that one worker keeps."""

LARGEST_BYTES = 1024 * 1024
"""Of one answer that is kept."""

OK = 200
Key = tuple[str | bytes, ...]


class Kept(NamedTuple):
    """An answer without what belongs to one request."""

    raw: bytes
    headers: tuple[tuple[str, str], ...]


@dataclass(slots=True, kw_only=True)
class Repeats:
    """The answers used last, up to a number of bytes; threads of a worker share them."""

    most_bytes: int = MOST_BYTES
    held_bytes: int = 0
    _answers: OrderedDict[Key, Kept] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def get(self, key: Key) -> Kept | None:
        """The answer of a question, which is then the one used last."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def put(self, key: Key, kept: Kept) -> None:
        """Keep an answer; those used longest ago go where there is no room."""
        with self._lock:
            if key in self._answers:
                return
            self._answers[key] = kept
            self.held_bytes += len(kept.raw)
            while self.held_bytes > self.most_bytes:
                _, gone = self._answers.popitem(last=False)
                self.held_bytes -= len(gone.raw)


def question() -> Key:
    """All that an answer depends on: the data in use, the address, the body and their forms."""
    body = request.get_data()
    return (
        catalogs().version,
        request.method,
        request.full_path,
        request.headers.get("Accept", ""),
        request.headers.get("Content-Type", ""),
        request.headers.get("Content-Encoding", ""),
        hashlib.blake2b(body, digest_size=16).digest(),
    )


def repeats() -> Repeats:
    """The answers of this application."""
    found: Repeats | None = current_app.extensions.get("repeats")
    if found is None:
        found = current_app.extensions.setdefault("repeats", Repeats())
    return found


def answered_before() -> Response | None:
    """The answer of the same question, if it is kept; the view is not asked then.

    Where the Hub is asked, models may change between two questions: nothing is kept.
    """
    if isinstance(catalogs().models, HubShelf):
        return None
    g.question = question()
    kept = repeats().get(g.question)
    if kept is None:
        return None
    g.question = None
    answer = Response(kept.raw, headers=list(kept.headers))
    if request.method == "GET":
        answer.make_conditional(request)
    return answer


def keep(answer: Response) -> Response:
    """Keep a whole answer that was worked out."""
    key: Key | None = g.get("question")
    if key is not None and answer.status_code == OK and not answer.is_streamed:
        raw = answer.get_data()
        if len(raw) <= LARGEST_BYTES:
            repeats().put(key, Kept(raw, tuple(answer.headers.items())))
    return answer


def kept(blueprint: Blueprint) -> Blueprint:
    """A blueprint whose answers are kept."""
    blueprint.before_request(answered_before)
    blueprint.after_request(keep)
    return blueprint
