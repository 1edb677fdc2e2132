"""Terms and pools with bytes that the caller has measured, on every rank alike."""

from __future__ import annotations

from dataclasses import replace

from service.domain.architecture import Stage
from service.domain.forms import PoolForm, TermForm
from service.domain.overrides import Overrides, Stated
from service.domain.questions import Serving
from service.domain.results import Amount
from service.domain.units import round_up

CACHE_TERM = "kv_cache"  # the one term that is stated as bytes of a token


def stated_amount(stated: Stated) -> Amount:
    """What the caller states."""
    return Amount(low=stated.low, expected=stated.expected, high=stated.high)


def held_tokens(serving: Serving) -> int:
    """Tokens of all running sequences at the context's length, in whole blocks."""
    return serving.sequences * round_up(serving.context_tokens, serving.profile.block_tokens)


def stated_form(form: TermForm, overrides: Overrides) -> TermForm:
    """A term with the bytes that are stated of it; the term itself where none are."""
    stated = overrides.of(form.name)
    if stated is None:
        return form
    per_token = form.name == CACHE_TERM

    def amount(serving: Serving) -> Amount:
        count = held_tokens(serving) if per_token else 1
        return Amount(
            low=stated.low * count, expected=stated.expected * count, high=stated.high * count
        )

    return replace(
        form,
        stated=amount,
        expected=lambda serving, _: amount(serving).expected,
        values=lambda serving, _: (
            {"bytes_per_token": stated.expected, "tokens": held_tokens(serving)}
            if per_token
            else {"stated_bytes": stated.expected}
        ),
        formula="bytes per token x tokens in whole blocks" if per_token else "as stated",
        provenance="measured by the caller",
        source="the request",
        shape=False,
        from_file=False,
    )


def stated_pool(token: Stated, state: TermForm | None) -> PoolForm:
    """A pool whose tokens take so many bytes each, beside the states of a sequence."""

    def block_bytes(serving: Serving, stage: Stage) -> int:
        del stage
        return token.expected * serving.profile.block_tokens

    def sequence_bytes(serving: Serving, stage: Stage, context_tokens: int) -> int:
        kept = token.expected * round_up(context_tokens, serving.profile.block_tokens)
        held = state.expected(serving, stage) // serving.sequences if state else 0
        return kept + held

    def token_bytes(serving: Serving, stage: Stage) -> int:
        del serving, stage
        return token.expected

    def tokens(serving: Serving, stage: Stage, pool_bytes: int) -> int:
        block = block_bytes(serving, stage)
        return pool_bytes // block * serving.profile.block_tokens if block else 0

    return PoolForm(
        sequence_bytes=sequence_bytes,
        block_bytes=block_bytes,
        token_bytes=token_bytes,
        tokens=tokens,
    )
