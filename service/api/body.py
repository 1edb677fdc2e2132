"""Request bodies: JSON read with bounds, so that no input can do harm or be misread."""

from __future__ import annotations

import json
import re
from typing import Any

from flask import Request
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, UnsupportedMediaType

MAX_BODY_BYTES = 2_000_000
MAX_HEADER_BODY_BYTES = 24_000_000
MAX_VALUES = 2_000_000
MAX_DEPTH = 40
MAX_DIGITS = 30
HEADERS = re.compile(rb'"(?:gguf_header|safetensors_index)"')
STRINGS = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[^"\[\]{}]++', re.DOTALL)
UNCLEAN = re.compile(r"[\0\ud800-\udfff]")


def json_body(request: Request) -> Any:
    """The JSON value of a request.

    Raises: 400 for anything but one well-formed value, 413 and 415.
    """
    if request.mimetype != "application/json":
        raise UnsupportedMediaType("send application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("send the body without a Content-Encoding")
    raw = request.get_data(cache=False)
    refuse_size(raw)
    return parsed(raw)


def parsed(raw: bytes) -> Any:
    """A JSON value from bytes.

    Raises: 400 for an empty body, other encodings, deep nesting, duplicate keys, NaN, infinities,
    numbers of too many digits, and text with lone surrogates or NUL.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest("the body is not UTF-8") from error
    if not text.strip():
        raise BadRequest("the body is empty; send a JSON object")
    refuse_depth(text)
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_number,
        )
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {str(error)[:200]}") from error


def refuse_depth(text: str) -> None:
    """Refuse nesting beyond the bound before the parser recurses into it; strings are skipped."""
    depth = 0
    for bracket in STRINGS.sub("", text) if '"' in text else text:
        if bracket in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise BadRequest(f"nested deeper than {MAX_DEPTH} levels")
        elif bracket in "]}":
            depth -= 1


def refuse_size(raw: bytes) -> None:
    """Refuse bodies beyond the bound; only one that carries a file's header may be larger."""
    most = MAX_HEADER_BODY_BYTES if HEADERS.search(raw) else MAX_BODY_BYTES
    if len(raw) > most:
        raise RequestEntityTooLarge(
            f"at most {most} bytes; {MAX_HEADER_BODY_BYTES} with a gguf_header or safetensors_index"
        )
    if len(raw) > MAX_BODY_BYTES and raw.count(b",") + raw.count(b":") > MAX_VALUES:
        raise RequestEntityTooLarge(f"at most {MAX_VALUES} values in a body of this size")


def clean(text: str) -> str:
    """Text without lone surrogates and NUL."""
    if UNCLEAN.search(text):
        raise BadRequest("text holds a NUL or a lone surrogate")
    return text


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise BadRequest(f"the key {key[:100]!r} stands twice in one object")
        result[clean(key)] = _clean_value(value)
    return result


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        clean(value)
    elif isinstance(value, list):
        for item in value:
            _clean_value(item)
    return value


def _constant(name: str) -> Any:
    raise BadRequest(f"{name} is not a JSON number")


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise BadRequest(f"a number has more than {MAX_DIGITS} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits) if len(digits) <= 4 * MAX_DIGITS else float("inf")
    if value - value != 0:
        raise BadRequest("a number is out of range")
    return value
