"""Money: renting, buying and feeding cards, with the price's own source; unknown stays unknown."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from service.domain.hardware import Gpu, Price
from service.domain.units import ceil_div

WATTS_PER_KILOWATT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRules:
    """What money is worked out with.

    utilization  average part of the rated board power
    pue          power of the building for each watt of the cards
    whole_nodes  how form factors begin that are bought only as whole servers
    """

    hours_per_month: int
    utilization: float
    pue: float
    usd_per_kwh: Decimal
    whole_nodes: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What so many cards cost; None where a price or a power is not known.

    billed_cards  cards that have to be paid for: whole servers where the card is sold so
    rental, purchase  the prices that were used
    purchase_usd_to   upper end where the source names a range
    break_even_months  months of renting that pay for the cards and their energy
    """

    billed_cards: int
    hourly_usd: Decimal | None
    monthly_usd: Decimal | None
    purchase_usd: Decimal | None
    purchase_usd_to: Decimal | None
    energy_kwh_per_month: Decimal | None
    energy_usd_per_month: Decimal | None
    break_even_months: Decimal | None
    rental: Price | None
    purchase: Price | None


def sold_in(gpu: Gpu, rules: CostRules) -> int:
    """Cards of the smallest unit that is sold: a whole server for some form factors, else one."""
    whole = (gpu.form_factor or "").startswith(rules.whole_nodes)
    return gpu.cards_per_node or 1 if whole and not gpu.is_mig else 1


def billed_cards(gpu: Gpu, cards: int, nodes: int, rules: CostRules) -> int:
    """Cards of whole nodes where the form factor is sold so, else the cards alone."""
    unit = sold_in(gpu, rules)
    return cards if unit == 1 else max(nodes, ceil_div(cards, unit)) * unit


def cost(gpu: Gpu, billed: int, rules: CostRules) -> Cost:
    """Rent, purchase and energy of so many cards that have to be paid for.

    rent = n·p·H;  energy = n·W/1000·u·PUE·H;  months = purchase / (rent - energy)

    n  billed cards   p  price of an hour   H  hours of a month
    W  rated power    u  its average part

    Holds when:  rented cards' energy is in their price; cooling is in the PUE, staff nowhere.
    Source:      config/costs.yaml; prices of gpus.yaml.
    Checked by:  8 cards at 3.49 USD: 27.92 an hour, 20,381.60 for 730 hours.
    """
    rental, purchase = gpu.rental, gpu.purchase
    hourly = rental.usd * billed if rental else None
    monthly = hourly * rules.hours_per_month if hourly is not None else None
    energy = energy_kwh(gpu, billed, rules)
    spent = energy * rules.usd_per_kwh if energy is not None else None
    bought = purchase.usd * billed if purchase else None
    dearest = purchase.usd_to * billed if purchase and purchase.usd_to else None
    return Cost(
        billed_cards=billed,
        hourly_usd=hourly,
        monthly_usd=monthly,
        purchase_usd=bought,
        purchase_usd_to=dearest,
        energy_kwh_per_month=energy,
        energy_usd_per_month=spent,
        break_even_months=break_even_months(bought, monthly, spent),
        rental=rental,
        purchase=purchase,
    )


def energy_kwh(gpu: Gpu, cards: int, rules: CostRules) -> Decimal | None:
    """Energy of a month with the building's share."""
    if gpu.tdp_watts is None:
        return None
    drawn = Decimal(str(gpu.tdp_watts)) * cards * Decimal(str(rules.utilization))
    return drawn * Decimal(str(rules.pue)) * rules.hours_per_month / WATTS_PER_KILOWATT


def break_even_months(
    bought: Decimal | None, rented_a_month: Decimal | None, energy_a_month: Decimal | None
) -> Decimal | None:
    """Months after which buying was cheaper; None where it never is or a price is missing."""
    if bought is None or rented_a_month is None:
        return None
    saved = rented_a_month - (energy_a_month or Decimal(0))
    return bought / saved if saved > 0 else None


@dataclass(slots=True, kw_only=True)
class Bill:
    """What cards of a search cost: whole servers where they are sold so; what is there, by card."""

    rules: CostRules
    _units: dict[int, int] = field(default_factory=dict)

    def cards(self, gpu: Gpu, cards: int, nodes: int, *, owned: bool) -> int:
        """Cards that have to be paid for."""
        return (
            cards if owned or self.unit(gpu) == 1 else billed_cards(gpu, cards, nodes, self.rules)
        )

    def unit(self, gpu: Gpu) -> int:
        """Cards of the smallest unit that is sold."""
        found = self._units.get(id(gpu))
        if found is None:
            found = self._units[id(gpu)] = sold_in(gpu, self.rules)
        return found

    def cost(self, gpu: Gpu, cards: int, nodes: int, *, owned: bool) -> Cost:
        """Rent, purchase and energy of the cards that have to be paid for."""
        return cost(gpu, self.cards(gpu, cards, nodes, owned=owned), self.rules)
