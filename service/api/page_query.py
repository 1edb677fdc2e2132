"""The page's parameters: those of `GET /v1/plans`, as a plain form sends them, and a config."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from service.api.body import parsed
from service.api.fields import COUNT
from service.api.flat import ALIASES, PLAN_PLACES, Place, question_body, unknown

CONFIG = "config"
LISTS = frozenset({
    "gpu", "quantizations", "kv_cache_precisions", "tensor_parallel", "pipeline_parallel",
    "expert_parallel", "keep",
})  # fmt: skip
MODELS = frozenset({"model", "parameters", CONFIG})
PAGE_PLACES: Mapping[str, Place] = {**PLAN_PLACES, CONFIG: ((CONFIG,), str)}
MAX_CONFIG = 7000


def flat_state(query: MultiDict[str, str]) -> dict[str, str]:
    """Parameters under their full names: what a form left empty is dropped, ticks are joined.

    A config stands in place of a name; a size such as 8B in the field of the name is a size.
    Raises: ValidationError for an unknown parameter and for one that stands twice.
    """
    found: dict[str, str] = {}
    for given, values in query.lists():
        name = ALIASES.get(given, given)
        if name not in PAGE_PLACES:
            raise ValidationError({given[:100]: [unknown(given, [*PAGE_PLACES, *ALIASES])]})
        said = [value.strip() for value in values if value.strip()]
        if name in found or (len(said) > 1 and name not in LISTS):
            raise ValidationError({name: ["Given more than once."]})
        if said:
            found[name] = ",".join(said)
    return one_model(found)


def one_model(found: dict[str, str]) -> dict[str, str]:
    """The model said in one way."""
    if CONFIG in found:
        found.pop("model", None)
    elif COUNT.fullmatch(found.get("model", "")) and "parameters" not in found:
        found["parameters"] = found.pop("model")
    return {name: found[name] for name in PAGE_PLACES if name in found}


def page_body(flat: Mapping[str, str]) -> dict[str, Any]:
    """The request body that the parameters stand for.

    Raises: ValidationError, and 400 for a config that is no JSON.
    """
    plain = {name: value for name, value in flat.items() if name != CONFIG}
    body = question_body(MultiDict(plain), PLAN_PLACES)
    if CONFIG not in flat:
        return body
    if len(flat[CONFIG]) > MAX_CONFIG:
        raise ValidationError({CONFIG: [f"At most {MAX_CONFIG} characters; POST a larger one."]})
    if "model" in body:
        raise ValidationError({CONFIG: ["Give a size or a config, not both."]})
    return {"model": {CONFIG: parsed(flat[CONFIG].encode())}, **body}


def is_empty(flat: Mapping[str, str]) -> bool:
    """Whether nothing names a model, so that an example is shown."""
    return not MODELS & set(flat)
