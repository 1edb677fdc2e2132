"""The answer to those who are not let in: ready bytes, since no thread is free to make them."""

from __future__ import annotations

import re
import uuid

import orjson

REQUEST_ID = re.compile(rb"\r\nx-request-id:[ \t]*([A-Za-z0-9._-]{1,128})[ \t]*\r\n", re.IGNORECASE)
HEAD = (
    "HTTP/1.1 503 Service Unavailable\r\n"
    "Content-Type: application/problem+json\r\n"
    "Content-Length: {length}\r\n"
    "Connection: close\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Request-Id: {request_id}\r\n"
    "Retry-After: {seconds}\r\n\r\n"
)


def busy(arrived: bytes | bytearray, seconds: int) -> bytes:
    """503 with the time after which the queue is expected to be short again."""
    given = REQUEST_ID.search(arrived, 0, arrived.find(b"\r\n\r\n") + 2)
    request_id = given[1].decode("ascii") if given else uuid.uuid4().hex
    problem = {
        "type": "urn:problem:busy",
        "title": "Busy",
        "status": 503,
        "detail": f"too many requests wait already; come again in {seconds} s",
        "request_id": request_id,
    }
    body = orjson.dumps(problem)
    head = HEAD.format(length=len(body), request_id=request_id, seconds=seconds)
    return head.encode("ascii") + body
