"""Memory terms of serving: every value is whole bytes on the fullest rank of one stage."""

from __future__ import annotations

from service.domain.architecture import Stage
from service.domain.engine import Engine
from service.domain.engines import ENGINE_MODELS
from service.domain.forms import FAMILY_DOUBT, PoolForm, TermForm, ranged, stated_share
from service.domain.overrides import NO_OVERRIDES, Overrides
from service.domain.profiles import Profile
from service.domain.questions import Placement, Serving, Split
from service.domain.results import Amount, Term
from service.domain.stated_terms import stated_amount, stated_form, stated_pool

WEIGHTS_ALONE = frozenset({"weights", "kv_cache", "communication", "runtime"})
"""Terms of a diffusion model: what its steps take grows with the image, which nobody named."""


def forms(serving: Serving) -> tuple[TermForm, ...]:
    """The terms that a question has, the weights first.

    No term after the first depends on how the weights are stored.
    """
    found = ENGINE_MODELS[serving.engine.kind].terms
    if serving.model.output == "latents":
        found = tuple(form for form in found if form.name in WEIGHTS_ALONE)
    kept = tuple(form for form in found if form.present(serving))
    if serving.overrides is NO_OVERRIDES:
        return kept
    return tuple(stated_form(form, serving.overrides) for form in kept)


def unplaced(engine: Engine, overrides: Overrides) -> tuple[str, ...]:
    """Stated terms that an engine does not have."""
    known = {form.name for form in ENGINE_MODELS[engine.kind].terms}
    return tuple(term for term in overrides.stated if term not in known)


def pool(serving: Serving) -> PoolForm:
    """How the engine lays out its cache."""
    own = ENGINE_MODELS[serving.engine.kind].pool
    token = serving.overrides.kv_cache
    return own if token is None else stated_pool(token, state_of(serving))


def state_of(serving: Serving) -> TermForm | None:
    """The term of states that sequences keep whatever their length."""
    return next((form for form in forms(serving) if form.name == "recurrent_state"), None)


def default_share(
    engine: Engine, profile: Profile, memory_bytes: int | None, step_tokens: int, split: Split
) -> float:
    """The share of a card that an engine takes where the caller names none."""
    return ENGINE_MODELS[engine.kind].share(profile, memory_bytes, step_tokens, split)


def share_varies(engine: Engine) -> bool:
    """Whether that share depends on the card or the split."""
    return ENGINE_MODELS[engine.kind].share is not stated_share


def weight_amount(placement: Placement, engine: Engine, profile: Profile, stage: Stage) -> Amount:
    """Weights of a stage on one rank as the engine loads them."""
    if placement.overrides.weights is not None:
        return stated_amount(placement.overrides.weights)
    size = ENGINE_MODELS[engine.kind].weights(placement, profile, stage)
    model = placement.model
    guessed = model.family_is_assumed and model.stored is None
    return ranged(size, FAMILY_DOUBT if guessed else engine.doubt("weights"))


def serving_terms(serving: Serving, stage: Stage) -> tuple[Term, ...]:
    """All terms of one stage, explained."""
    return tuple(form.term(serving, stage) for form in forms(serving))


def sequence_cache_bytes(serving: Serving, stage: Stage, context_tokens: int) -> int:
    """What one sequence of so many tokens takes of the pool on one rank of a stage. [B]"""
    return pool(serving).sequence_bytes(serving, stage, context_tokens)
