"""Speed that a plan has to allow: targets with nothing left open, judged for a serving question."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.engine import Path
from service.domain.hardware import Gpu
from service.domain.physics import Physics, Targets, Throughput
from service.domain.questions import Serving
from service.domain.requests import TargetWish
from service.domain.resolving import Notes
from service.domain.throughput import compute_format, missed_target, rates, throughput


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """What bounds speed, and what is wanted of it; `asked` where the caller names a target."""

    physics: Physics
    targets: Targets
    asked: bool

    def of(self, serving: Serving, gpu: Gpu, path: Path | None) -> Throughput | None:
        """Upper bounds of an arrangement; None where the card's rates are not known."""
        compute = compute_format(self.physics, serving.precision, serving.quantization, path)
        found = rates(gpu, compute, self.targets.efficiency)
        return None if found is None else throughput(serving, found, self.targets)

    def missed(self, serving: Serving, gpu: Gpu, path: Path | None) -> str | None:
        """Which target an arrangement cannot reach; None where it may, or none is asked."""
        return missed_target(self.of(serving, gpu, path), self.targets) if self.asked else None


def resolved_speed(
    wish: TargetWish | None, context_tokens: int, physics: Physics, notes: Notes
) -> Speed:
    """Targets with every gap filled; gaps are noted where a target is asked."""
    asked = wish is not None
    wish = wish or TargetWish()
    output = wish.output_tokens
    if output is None:
        output = max(1, min(physics.default_output_tokens, context_tokens // 2))
        if asked:
            notes.default("targets.output_tokens", output, "min(256, half the context)")
    prompt = wish.prompt_tokens
    if prompt is None:
        prompt = max(1, context_tokens - output)
        if asked:
            notes.default("targets.prompt_tokens", prompt, "the context less the output")
    return Speed(
        physics=physics,
        targets=Targets(
            prompt_tokens=prompt,
            output_tokens=output,
            efficiency=wish.efficiency or physics.efficiency,
            tokens_per_second_per_user=wish.tokens_per_second_per_user,
            requests_per_second=wish.requests_per_second,
            first_token_ms=wish.first_token_ms,
        ),
        asked=asked,
    )
