"""Every case asked, every scoreable value compared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask.testing import FlaskClient

from benchmarks.accuracy.cases import Case
from benchmarks.accuracy.quantities import QUANTITIES, Answer
from service.api.build import Catalogs, model_facts
from service.domain.architecture import Architecture, counts
from service.domain.sums import cache_rows, state_rows

OK = 200
TRAINING = "training"


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """One value against its prediction."""

    case: str
    group: str
    engine: str
    family: str
    stranger: str
    kind: str
    quantity: str
    term: str | None
    measured: float
    low: float
    expected: float
    high: float
    floor: float

    @property
    def difference(self) -> float:
        """Predicted less measured, nothing within the rounding of the log."""
        found = self.expected - self.measured
        return 0.0 if abs(found) <= self.floor else found

    @property
    def error(self) -> float:
        """Difference as a share of what was measured."""
        return self.difference / self.measured if self.measured else float(bool(self.difference))

    @property
    def ranged(self) -> bool:
        """Whether the value has a range at all."""
        return self.low < self.high or self.term is not None

    @property
    def covered(self) -> bool:
        """Whether low..high holds what was measured."""
        return self.low - self.floor <= self.measured <= self.high + self.floor


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Whether a run that is said to fit at risk `high` did."""

    case: str
    group: str
    engine: str
    ran: bool
    said: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Width:
    """How wide the range of a served case's total is, as a share of what is expected."""

    case: str
    group: str
    engine: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A case that the service does not answer, and why."""

    case: str
    engine: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """All that a run of the measurements gives."""

    residuals: tuple[Residual, ...]
    fits: tuple[Fit, ...]
    widths: tuple[Width, ...]
    refusals: tuple[Refusal, ...]


def architecture_kind(model: Architecture) -> str:
    """One word for how a model keeps its past and where its width lies."""
    rows = [row for row, _ in cache_rows(model, 1)]
    mixture = counts(model).mixture
    if any(tower.modality != "text" for tower in model.towers):
        return "vision"
    if state_rows(model, 1):
        return "hybrid"
    if len({(row.window_tokens, row.elements) for row in rows}) > 1:
        return "mixed windows"
    return "mixture" if mixture else "dense"


def subject(case: Case) -> str:
    """The engine, or that the case is a training run."""
    work = case.request["workload"]
    return TRAINING if work["kind"] == TRAINING else work.get("engine", "vllm")


def ask(client: FlaskClient, request: Mapping[str, Any], risk: str) -> tuple[Answer | None, str]:
    """An answer, or the reason why there is none."""
    found = client.post("/v1/estimates", json={**request, "risk": risk})
    body: dict[str, Any] = found.get_json()
    if found.status_code == OK:
        return body, ""
    errors = body.get("errors")
    if errors:
        return None, f"{errors[0]['pointer']}: {errors[0]['message']}"
    return None, str(body.get("detail"))


def residuals(case: Case, answer: Answer, shape: Architecture) -> list[Residual]:
    """Every scoreable value of a case."""
    found = []
    for quantity in QUANTITIES:
        bounds = quantity.bounds(answer) if quantity.key in case.scoreable else None
        if bounds is None:
            continue
        found.append(
            Residual(
                case=case.id,
                group=case.group,
                engine=subject(case),
                family=shape.family,
                stranger=case.stranger or shape.family,
                kind=architecture_kind(shape),
                quantity=quantity.key,
                term=quantity.term,
                measured=float(case.measured[quantity.key]),
                low=bounds[0],
                expected=bounds[1],
                high=bounds[2],
                floor=quantity.floor,
            )
        )
    return found


def widths(case: Case, answer: Answer) -> list[Width]:
    """The width of the total of a served case; none of training, whose readings differ in kind."""
    engine, card = subject(case), answer["per_card"]
    if engine == TRAINING:
        return []
    share = (card["high_bytes"] - card["low_bytes"]) / card["expected_bytes"]
    return [Width(case=case.id, group=case.group, engine=engine, share=share)]


def scores(client: FlaskClient, catalogs: Catalogs, all_cases: Iterable[Case]) -> Scores:
    """Every case asked at the expected bound for values and at the high one for the verdict."""
    rows: list[Residual] = []
    fits: list[Fit] = []
    refusals: list[Refusal] = []
    spread: list[Width] = []
    for case in all_cases:
        engine = subject(case)
        answer, reason = ask(client, case.request, "expected")
        if answer is None:
            refusals.append(Refusal(case=case.id, engine=engine, reason=reason))
            continue
        shape = model_facts(catalogs, case.request["model"]).architecture
        rows += residuals(case, answer, shape)
        spread += widths(case, answer)
        careful, _ = ask(client, case.request, "high")
        if "oom" in case.scoreable and careful is not None and "fits" in careful:
            fits.append(
                Fit(
                    case=case.id,
                    group=case.group,
                    engine=engine,
                    ran=not case.measured["oom"],
                    said=careful["fits"],
                )
            )
    return Scores(
        residuals=tuple(rows), fits=tuple(fits), widths=tuple(spread), refusals=tuple(refusals)
    )
