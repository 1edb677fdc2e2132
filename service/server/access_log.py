"""One JSON line for each answer, on standard output; never a query, a body or a key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from gunicorn.glogging import Logger

TRACE = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII)


def access_line(answer: Any, environ: Mapping[str, Any], took: timedelta) -> str:
    """What an operator needs to find a request; `trace_id` joins the caller's trace."""
    headers = {name.lower(): value for name, value in answer.headers}
    trace = TRACE.fullmatch(environ.get("HTTP_TRACEPARENT", ""))
    line = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "request_id": headers.get("x-request-id", ""),
        "trace_id": trace[1] if trace else None,
        "method": environ.get("REQUEST_METHOD", ""),
        "path": environ.get("PATH_INFO", ""),
        "status": int(str(answer.status).split(maxsplit=1)[0]),
        "answer_bytes": answer.sent,
        "seconds": round(took.total_seconds(), 6),
        "client": environ.get("REMOTE_ADDR", ""),
        "agent": environ.get("HTTP_USER_AGENT", "")[:200],
    }
    return orjson.dumps(line).decode()


class JsonAccessLog(Logger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's logger with JSON access lines."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:  # ruff: ignore[unused-method-argument] - gunicorn's signature
        if not self.access_log_enabled:
            return
        try:
            self.access_log.info("%s", access_line(resp, environ, request_time))
        except (TypeError, ValueError, AttributeError):
            self.exception("an access line could not be written")
