"""What happens when the engine is started so: refused, started short, or as wanted; and why."""

from __future__ import annotations

from service.domain.budgets import POLICIES, Offer
from service.domain.judging import Part, StageNeed, at_risk
from service.domain.questions import Serving
from service.domain.requests import Risk
from service.domain.results import Outcome
from service.domain.serving_terms import sequence_cache_bytes


def outcome(serving: Serving, needs: tuple[StageNeed, ...], offer: Offer, risk: Risk) -> Outcome:
    """The worst over all stages.

    An engine refuses to start where its budget does not hold everything but the cache, where the
    cache does not hold one sequence of the context's length, or where what lies beside its budget
    does not fit the card. Else it starts, and holds as many sequences as its cache has room for.
    """
    found = [stage_outcome(serving, one, offer, risk) for one in needs]
    order = ("refuses-to-start", "starts-short", "starts")
    return min(found, key=lambda one: order.index(one.start))


def stage_outcome(serving: Serving, need: StageNeed, offer: Offer, risk: Risk) -> Outcome:
    """What one stage's rank does."""
    grip, sides = POLICIES[serving.engine.policy], need.need.sides(risk)
    if grip.spare(offer, sides) < 0:
        return Outcome(start="refuses-to-start", obstacle=largest(need, ("beside", "before"), risk))
    room = grip.room(offer, sides)
    if room < 0:
        return Outcome(start="refuses-to-start", obstacle=fixed_obstacle(need, room, risk))
    if room < sequence_cache_bytes(serving, need.stage, serving.context_tokens):
        return Outcome(start="refuses-to-start", obstacle=largest(need, ("cache",), risk))
    if room < sides.cache:
        return Outcome(start="starts-short", obstacle=largest(need, ("cache",), risk))
    return Outcome(start="starts", obstacle=None)


def fixed_obstacle(need: StageNeed, room_bytes: int, risk: Risk) -> str:
    """The weights where they alone do not fit, else the largest of the rest inside the budget."""
    inside = need.need.sides(risk).inside
    weights = next(part for part in need.parts if part.name == "weights")
    if at_risk(weights.amount, risk) > inside + room_bytes:
        return "weights"
    return largest(need, ("inside",), risk, but="weights")


def largest(need: StageNeed, sides: tuple[str, ...], risk: Risk, but: str = "") -> str:
    """The largest term of some sides."""

    def size(part: Part) -> int:
        return at_risk(part.amount, risk)

    found = [part for part in need.parts if part.side in sides and part.name != but]
    return max(found, key=size).name if found else "weights"
