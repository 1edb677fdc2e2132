"""Per-tensor policies: a known quantization with single kinds or tensors stored otherwise."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from functools import lru_cache

from service.domain.architecture import Architecture, counts
from service.domain.errors import InvalidRequest
from service.domain.precision import Quantization, Rule
from service.domain.tensors import KINDS, Kind

NEAREST = 5
KIND_OF: dict[str, Kind] = {kind: kind for kind in KINDS}


@lru_cache(maxsize=512)
def with_policy(
    base: Quantization, keep: tuple[str, ...], formats: tuple[tuple[str, Quantization], ...]
) -> Quantization:
    """The base with rules before its own: what stays in 16 bits, then what is stored otherwise.

    Its quality is that of the worst format in it.
    """
    kept = tuple(_rule(word, None) for word in keep)
    others = tuple(_rule(word, other) for word, other in formats)
    worst = max((base, *(other for _, other in formats)), key=lambda one: one.quality_rank)
    said = [f"keep={','.join(keep)}"] if keep else []
    said += [f"{word}={other.id}" for word, other in formats]
    return replace(
        base,
        id="+".join((base.id, *said)),
        rules=(*kept, *others, *base.rules),
        group=max(base.group, *(other.group for _, other in formats), 1),
        quality_rank=worst.quality_rank,
        quality_loss=worst.quality_loss,
        aliases=(),
    )


def _rule(word: str, other: Quantization | None) -> Rule:
    form = None
    if other is not None:
        form = next((r.format for r in reversed(other.rules) if r.linear and r.format), None)
    if word in KIND_OF:
        return Rule(kinds=frozenset({KIND_OF[word]}), linear=True, format=form)
    return Rule(names=(word,), linear=True, format=form)


def refuse_unknown_word(model: Architecture, word: str, field: str) -> None:
    """Refuse a word that is neither a kind of tensor nor the name of a matrix of the model.

    Raises: InvalidRequest with the nearest words.
    """
    names = {tensor.name for tensor in counts(model).bill if tensor.linear}
    if word in KIND_OF or any(fnmatchcase(name, word) for name in names):
        return
    near = get_close_matches(word[:100], [*KINDS, *sorted(names)], n=NEAREST, cutoff=0.5)
    hint = f"; did you mean {', '.join(near)}?" if near else f"; kinds are {', '.join(KINDS)}"
    raise InvalidRequest(
        field, f"{word[:100]!r} is neither a kind of tensor nor a tensor of this model{hint}"
    )
